"""Long ladders made short: what is familiar by now is counted, not drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from netglass.trace.items import Arrow, Gap, Item, Remark

_FAMILIAR: Final = 6
"""So often a kind of item is drawn before a run of such items is put into one line."""
_SHORTEST_RUN: Final = 4
_AFTER_NEWS: Final = 3
"""So many familiar items are drawn after something new before they are put into one line again."""


def elided(items: Sequence[Arrow | Remark]) -> list[Item]:
    """Runs of items that are familiar by now become gaps; what comes right before and after something new stays."""
    total: dict[tuple[Any, ...], int] = {}
    since_news: dict[tuple[Any, ...], int] = {}
    found: list[Item] = []
    run: list[Arrow | Remark] = []
    for each in items:
        signature = _signature(each)
        total[signature] = total.get(signature, 0) + 1
        is_news = total[signature] <= _FAMILIAR
        if is_news and run:
            since_news.clear()
        since_news[signature] = since_news.get(signature, 0) + 1
        if not is_news and since_news[signature] > _AFTER_NEWS:
            run.append(each)
            continue
        found += _closed_run(run)
        run = []
        found.append(each)
    return found + _closed_run(run)


def _closed_run(run: list[Arrow | Remark]) -> list[Item]:
    hidden = run[:-2]
    if len(hidden) < _SHORTEST_RUN:
        return list(run)
    return [Gap(hidden), *run[-2:]]


def _signature(item: Arrow | Remark) -> tuple[Any, ...]:
    if isinstance(item, Remark):
        return (item.column, item.kind, _without_digits(item.text))
    remarks = tuple([_signature(each) for each in (*item.starts, *item.ends)])
    return (item.source, item.destination, item.kind, item.lost, tuple(item.marks), remarks)


def _without_digits(text: str) -> str:
    return "".join([letter for letter in text if not letter.isdigit()])
