"""The command `netglass`: thin functions over the public API, one file a command."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Entry point. Without the extra `cli` it says how to get it."""
    try:
        from netglass.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit(f"netglass: the command line needs {error.name}: pip install 'netglass[cli]'")
    if hasattr(signal, "SIGPIPE") and sys.argv[1:2] != ["run"]:
        # `netglass show close | head`: whoever reads has seen enough. A program of `run` decides for itself.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    app(prog_name="netglass")
