"""Colours, for light and for dark paper. States and arrows differ for colour-blind readers too (after Okabe and Ito),
and everything that has a colour also has its name written beside it."""

from __future__ import annotations

from typing import Final

STATES: Final[dict[str, tuple[str, str]]] = {
    "CLOSED": ("#a3a9b1", "#6d747d"),
    "LISTEN": ("#56b4e9", "#4a9fd0"),
    "SYN-SENT": ("#e69f00", "#d9970a"),
    "SYN-RECEIVED": ("#f0d000", "#d8bf10"),
    "ESTABLISHED": ("#009e73", "#12a97f"),
    "FIN-WAIT-1": ("#cc79a7", "#cf82ad"),
    "FIN-WAIT-2": ("#aa4499", "#b65aa8"),
    "CLOSING": ("#882255", "#a33c70"),
    "TIME-WAIT": ("#0072b2", "#2a8ac6"),
    "CLOSE-WAIT": ("#d55e00", "#e0701a"),
    "LAST-ACK": ("#994f00", "#b8690f"),
}
"""State -> (on light paper, on dark paper)."""

ARROWS: Final[dict[str, tuple[str, str]]] = {
    "syn": ("#00754f", "#43c69a"),
    "syn-ack": ("#00754f", "#43c69a"),
    "fin": ("#8b2f7c", "#d68fca"),
    "rst": ("#b3261e", "#ff8a80"),
    "data": ("#0b5cad", "#7cb8f2"),
    "ack": ("#3d444d", "#b6bec8"),
    "udp": ("#0b5cad", "#7cb8f2"),
    "arp": ("#6b4fa0", "#b9a3e3"),
    "icmp": ("#8a5a00", "#e0b050"),
    "ip": ("#3d444d", "#b6bec8"),
}
"""Kind of arrow -> (on light paper, on dark paper)."""

INKS: Final[dict[str, tuple[str, str]]] = {
    "paper": ("#ffffff", "#15181d"),
    "ink": ("#1b1f24", "#e6e9ed"),
    "lane": ("#f5f6f8", "#1d2127"),
    "soft": ("#5f6771", "#98a1ab"),
    "hair": ("#c9ced4", "#3c434c"),
    "lost": ("#b3261e", "#ff8a80"),
    "mark": ("#9a5b00", "#eab04d"),
    "queue": ("#0b5cad", "#7cb8f2"),
}


def rules(dark: bool, scope: str = "") -> str:
    """The style rules of every class that has a colour, one for each; `scope` goes before each selector."""
    at = 1 if dark else 0
    found: list[str] = []
    for name, colours in INKS.items():
        found.append(f"{scope}.ng-{name}{{fill:{colours[at]}}}{scope}.ng-{name}-line{{stroke:{colours[at]}}}")
    for name, colours in ARROWS.items():
        found.append(f"{scope}.ng-a-{name}{{fill:{colours[at]}}}{scope}.ng-a-{name}-line{{stroke:{colours[at]}}}")
    for name, colours in STATES.items():
        found.append(f"{scope}.ng-s-{name}{{fill:{colours[at]}}}")
    found.append(f"{scope}.ng-halo{{stroke:{INKS['paper'][at]}}}")
    return "\n".join(found)
