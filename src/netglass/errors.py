"""What netglass raises. A peer never raises anything: these are the caller's mistakes and malformed bytes.

This module is left out of the compiled build, because children of OSError must stay ordinary classes.
"""

from __future__ import annotations


class NetglassError(Exception):
    """The parent of all that netglass raises on its own."""


class MisuseError(NetglassError, ValueError):
    """The caller asked for something that cannot be; the text says what was wrong and what is right."""


class WireError(NetglassError, ValueError):
    """Bytes that are not what they should be. `reason` is a short constant text, fit for a counter's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LinkError(NetglassError, OSError):
    """A device cannot be had, or has gone; the text says what to do."""

    def __str__(self) -> str:
        return self.strerror or super().__str__()
