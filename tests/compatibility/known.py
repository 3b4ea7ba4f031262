"""What does not work, and why."""

from __future__ import annotations

from typing import Final

NO_FRAGMENTS: Final = "a datagram of 3 KiB does not fit into the path MTU, and IP fragmentation is not implemented"

KNOWN: Final[dict[tuple[str, float], str]] = {
    ("dnspython, long answers", 0): NO_FRAGMENTS,
    ("dnspython, long answers", 0.05): NO_FRAGMENTS,
}
"""(scenario, loss) -> the reason in one line. The tests expect these failures, so one that is mended must leave."""
