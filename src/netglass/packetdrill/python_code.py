"""`%{ code }%`: Python that sees TCP_INFO of the connection under test, and what the blocks before have set."""

from __future__ import annotations

import traceback
from typing import Final

from netglass.packetdrill.result import Mismatch

CONSTANTS: Final[dict[str, object]] = {
    "TCP_ESTABLISHED": 1,
    "TCP_SYN_SENT": 2,
    "TCP_SYN_RECV": 3,
    "TCP_FIN_WAIT1": 4,
    "TCP_FIN_WAIT2": 5,
    "TCP_TIME_WAIT": 6,
    "TCP_CLOSE": 7,
    "TCP_CLOSE_WAIT": 8,
    "TCP_LAST_ACK": 9,
    "TCP_LISTEN": 10,
    "TCP_CLOSING": 11,
    "TCP_CA_Open": 0,
    "TCP_CA_Disorder": 1,
    "TCP_CA_CWR": 2,
    "TCP_CA_Recovery": 3,
    "TCP_CA_Loss": 4,
    "TCPI_OPT_TIMESTAMPS": 1,
    "TCPI_OPT_SACK": 2,
    "TCPI_OPT_WSCALE": 4,
    "TCPI_OPT_ECN": 8,
    "TCPI_OPT_ECN_SEEN": 16,
    "TCPI_OPT_SYN_DATA": 32,
    "TCPI_OPT_USEC_TS": 64,
    "TCPI_OPT_TFO_CHILD": 128,
}


class Interpreter:
    """Runs the blocks of one script, in one namespace."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._names: dict[str, object] = dict(CONSTANTS)

    def run(self, text: str, line: int, info: dict[str, int]) -> None:
        """`info` are the fields of TCP_INFO, tcpi_*. Raises Mismatch with what the code raised, and where."""
        self._names.update(info)
        # Empty lines before the code make its line numbers those of the script.
        source = "\n" * (line - 1) + text
        try:
            exec(compile(source, self._path, "exec"), self._names)
        except Exception as error:
            at = _line_of(error, self._path) or line
            shown = source.splitlines()[at - 1].strip()
            values = ", ".join([f"{name} = {value}" for name, value in info.items() if name in shown])
            problem = f"{type(error).__name__}{f': {error}' if str(error) else ''} at line {at}"
            raise Mismatch(f"the code failed: {problem}", shown, values or problem) from error


def _line_of(error: Exception, path: str) -> int:
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return (lines[-1] or 0) if lines else 0
