"""How wide text is, near enough for drawing: no font is asked. The widths are those of Helvetica in thousandths of its
size, raised to those of the wider fonts that stand in for it."""

from __future__ import annotations

from typing import Final
from unicodedata import east_asian_width

_CLASSES: Final[dict[int, str]] = {
    222: "ijl|'",
    278: "fIt .,:;/!\\[]",
    333: 'r()-`"{}*',
    500: "cksvxyzJ",
    556: "abdeghnopqu0123456789L?$_#",
    584: "+<=>~^",
    611: "FTZ",
    667: "ABEKPSVXY&",
    722: "CDHNRUw",
    778: "GOQ",
    833: "mM",
    944: "W%",
    1015: "@",
}
_WIDTHS: Final[dict[str, int]] = {letter: width for width, letters in _CLASSES.items() for letter in letters}
_OTHER: Final = 620
_FULL: Final = 1000
_STAND_IN: Final = 1.14  # DejaVu Sans and Verdana are wider than Helvetica and Arial
_BOLD: Final = 1.08


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Pixels that `text` takes at most, in a sans-serif font of `size` pixels."""
    thousandths = 0
    for letter in text:
        wide = not letter.isascii() and east_asian_width(letter) in "WF"
        thousandths += _FULL if wide else _WIDTHS.get(letter, _OTHER)
    return thousandths * size / 1000 * _STAND_IN * (_BOLD if bold else 1.0)
