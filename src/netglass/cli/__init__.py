"""The command `netglass`: thin functions over the public API, one file a command."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point. Without the extra `cli` it says how to get it."""
    try:
        from netglass.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit(f"netglass: the command line needs {error.name}: pip install 'netglass[cli]'")
    app()
