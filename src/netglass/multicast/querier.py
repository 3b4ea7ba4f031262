"""The router's side of membership on one interface (RFC 3376 §6, RFC 3810 §7): asks who listens, keeps what it hears,
and gives way to a querier with a lower address.

What is kept of a group is RFC 3376's pair of a filter mode and sources with timers. In INCLUDE mode every source
kept is wanted until its timer ends. In EXCLUDE mode all is wanted but the sources whose timer has ended; those with a
running timer are wanted by somebody expressly, and remain when the last excluder goes.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.multicast.filter import SourceFilter
from netglass.multicast.groups import reported
from netglass.times import NEVER, SECOND
from netglass.wire.membership import (
    ALLOW_NEW,
    BLOCK_OLD,
    IS_EXCLUDE,
    IS_INCLUDE,
    TO_EXCLUDE,
    TO_INCLUDE,
    Message,
    OldReport,
    Query,
    Record,
    Report,
)

MOST_GROUPS: Final = 4096
MOST_SOURCES: Final = 256
"""Hosts on a link could fill a router's memory with groups (RFC 3376 §9): what is beyond is counted and not kept."""


class QuerierSettings:
    """RFC 3376 §8. Times in nanoseconds."""

    __slots__ = ("last_member_interval", "level", "query_interval", "response_interval", "robustness")

    def __init__(self) -> None:
        self.level: int = 3
        self.robustness: int = 2
        self.query_interval: int = 125 * SECOND
        self.response_interval: int = 10 * SECOND
        self.last_member_interval: int = 1 * SECOND

    def copy(self) -> QuerierSettings:
        other = QuerierSettings()
        other.level = self.level
        other.robustness = self.robustness
        other.query_interval = self.query_interval
        other.response_interval = self.response_interval
        other.last_member_interval = self.last_member_interval
        return other

    @property
    def membership_interval(self) -> int:
        """How long a group is kept after it was last reported (§8.4)."""
        return self.robustness * self.query_interval + self.response_interval

    @property
    def last_member_time(self) -> int:
        """How long a group is kept after somebody left and nobody answered the question (§8.8)."""
        return self.robustness * self.last_member_interval


class _Question:
    """A specific query that is still to be sent a few times."""

    __slots__ = ("group_left", "next_at", "source_left")

    def __init__(self) -> None:
        self.group_left: int = 0
        self.source_left: dict[bytes, int] = {}
        self.next_at: int = NEVER


class _Kept:
    """One group as a router knows it."""

    __slots__ = ("exclude", "question", "sources", "timer", "v1_until", "v2_until")

    def __init__(self) -> None:
        self.exclude: bool = False
        self.timer: int = 0  # EXCLUDE mode lasts until then
        self.sources: dict[bytes, int] = {}  # until when each is wanted; 0: blocked (EXCLUDE mode only)
        self.v1_until: int = -1  # a host of level 1 is there until then: leaving is not believed (§7.3.2)
        self.v2_until: int = -1
        self.question: _Question = _Question()


class Querier:
    """`address`: ours on this link, in the family's own number order: the lowest is the querier."""

    __slots__ = (
        "_address",
        "_general_at",
        "_groups",
        "_level",
        "_ready",
        "_settings",
        "_startup_left",
        "changes",
        "ignored",
        "other",
        "other_until",
    )

    def __init__(self, address: bytes, settings: QuerierSettings, now: int) -> None:
        self._address: bytes = address
        self._settings: QuerierSettings = settings.copy()  # a querier with a lower address changes it
        self._groups: dict[bytes, _Kept] = {}
        self._ready: deque[Message] = deque()
        self._startup_left: int = settings.robustness  # §8.7
        self._general_at: int = now
        self.other: bytes = b""  # the querier, if we are not it
        self.other_until: int = -1
        self.changes: int = 0  # grows whenever `wants` may answer otherwise
        self.ignored: int = 0  # records that did not fit

    # -- questions

    @property
    def is_querier(self) -> bool:
        return not self.other

    def wants(self, group: bytes, source: bytes) -> bool:
        """Does anybody on this link listen to `source` in `group`?"""
        kept = self._groups.get(group)
        if kept is None:
            return False
        until = kept.sources.get(source)
        if kept.exclude:
            return until is None or until > 0
        return until is not None

    def groups(self) -> dict[bytes, SourceFilter]:
        """Everything that somebody on this link listens to."""
        found: dict[bytes, SourceFilter] = {}
        for group, kept in self._groups.items():
            if kept.exclude:
                found[group] = SourceFilter(
                    True, tuple([source for source, until in kept.sources.items() if not until])
                )
            else:
                found[group] = SourceFilter(False, tuple(kept.sources))
        return found

    # -- from the link

    def receive_query(self, query: Query, source: bytes, now: int) -> None:
        """Another router asks (§6.6.2): the lower address is the querier, and its timers count (§4.1.6, §4.1.7)."""
        settings = self._settings
        if any(source) and source < self._address:
            self.other = source
            self.other_until = now + settings.robustness * settings.query_interval + settings.response_interval // 2
            self._general_at = NEVER
            if query.robustness:
                settings.robustness = query.robustness
            if query.interval:
                settings.query_interval = query.interval
        if query.general or query.suppress or query.level < 2:
            return
        kept = self._groups.get(query.group)
        if kept is None:
            return
        most = now + settings.last_member_time
        if not query.sources:
            kept.timer = min(kept.timer, most)
        for wanted in query.sources:
            until = kept.sources.get(wanted, 0)
            if until > most:
                kept.sources[wanted] = most

    def receive_report(self, report: Report | OldReport, now: int) -> None:
        """RFC 3376 §6.4; reports and leaves of older hosts are translated (§7.3.2)."""
        if isinstance(report, OldReport):
            self._receive_old(report, now)
            return
        for record in report.records:
            if reported(record.group):
                self._receive_record(record, now)

    def _receive_old(self, report: OldReport, now: int) -> None:
        group = report.group
        if not reported(group):
            return
        if report.leaving:
            kept = self._groups.get(group)
            if kept is not None and now >= kept.v1_until:
                self._to_include(group, kept, (), now)
            return
        kept = self._keep(group)
        if kept is None:
            return
        until = now + self._settings.membership_interval
        if report.level == 1:
            kept.v1_until = until
        else:
            kept.v2_until = until
        self._is_exclude(kept, (), until)

    def _receive_record(self, record: Record, now: int) -> None:
        kind = record.kind
        sources = record.sources[:MOST_SOURCES]
        if len(sources) < len(record.sources):
            self.ignored += 1
        if record.group not in self._groups and not sources and kind not in (IS_EXCLUDE, TO_EXCLUDE):
            return  # nothing of a group that nobody listens to
        kept = self._keep(record.group)
        if kept is None:
            return
        # §7.3.2: while an older host is there, nobody's leaving and no source list can be believed.
        if now < max(kept.v1_until, kept.v2_until):
            if kind == BLOCK_OLD or (kind == TO_INCLUDE and now < kept.v1_until):
                return
            if kind == TO_EXCLUDE:
                sources = ()
        self._apply(record.group, kept, kind, sources, now)
        self._changed(record.group, kept)

    def _apply(self, group: bytes, kept: _Kept, kind: int, sources: tuple[bytes, ...], now: int) -> None:
        until = now + self._settings.membership_interval
        if kind in (IS_INCLUDE, ALLOW_NEW):
            self._allow(kept, sources, until)
        elif kind == IS_EXCLUDE:
            self._is_exclude(kept, sources, until)
        elif kind == TO_INCLUDE:
            self._to_include(group, kept, sources, now)
        elif kind == TO_EXCLUDE:
            self._to_exclude(group, kept, sources, now)
        elif kind == BLOCK_OLD:
            self._block(group, kept, sources, now)

    def _keep(self, group: bytes) -> _Kept | None:
        kept = self._groups.get(group)
        if kept is None:
            if len(self._groups) >= MOST_GROUPS:
                self.ignored += 1
                return None
            kept = self._groups[group] = _Kept()
        return kept

    def _changed(self, group: bytes, kept: _Kept) -> None:
        self.changes += 1
        if not kept.exclude and not kept.sources:
            self._groups.pop(group, None)

    # The tables of §6.4.1 and §6.4.2; A and B are the sources kept and reported, X those with a running timer.

    def _allow(self, kept: _Kept, sources: tuple[bytes, ...], until: int) -> None:
        for source in sources:
            if len(kept.sources) < MOST_SOURCES or source in kept.sources:
                kept.sources[source] = until
            else:
                self.ignored += 1

    def _is_exclude(self, kept: _Kept, sources: tuple[bytes, ...], until: int) -> None:
        old = kept.sources
        if kept.exclude:
            # (A-Y, Y*A), (A-X-Y) wanted for the whole time.
            kept.sources = {source: old.get(source, until) for source in sources}
        else:
            # (A*B, B-A), B-A blocked.
            kept.sources = {source: old.get(source, 0) for source in sources}
        kept.exclude = True
        kept.timer = until
        self.changes += 1

    def _to_exclude(self, group: bytes, kept: _Kept, sources: tuple[bytes, ...], now: int) -> None:
        old = kept.sources
        was_exclude = kept.exclude
        new_until = kept.timer if was_exclude else 0
        kept.sources = {source: old.get(source, new_until) for source in sources}
        asked = [source for source, until in kept.sources.items() if until]
        kept.exclude = True
        kept.timer = now + self._settings.membership_interval
        self._ask_sources(group, kept, asked, now)

    def _to_include(self, group: bytes, kept: _Kept, sources: tuple[bytes, ...], now: int) -> None:
        asked = [source for source, until in kept.sources.items() if until and source not in sources]
        self._allow(kept, sources, now + self._settings.membership_interval)
        self._ask_sources(group, kept, asked, now)
        if kept.exclude:
            self._ask_group(group, kept, now)

    def _block(self, group: bytes, kept: _Kept, sources: tuple[bytes, ...], now: int) -> None:
        if kept.exclude:
            for source in sources:
                if source not in kept.sources and len(kept.sources) < MOST_SOURCES:
                    kept.sources[source] = kept.timer
            asked = [source for source in sources if kept.sources.get(source)]
        else:
            asked = [source for source in sources if source in kept.sources]
        self._ask_sources(group, kept, asked, now)

    # -- specific queries (§6.6.3)

    def _ask_group(self, group: bytes, kept: _Kept, now: int) -> None:
        if not self.is_querier:
            return
        kept.timer = min(kept.timer, now + self._settings.last_member_time)
        kept.question.group_left = self._settings.robustness
        kept.question.next_at = now
        self._send_question(group, kept, now)

    def _ask_sources(self, group: bytes, kept: _Kept, sources: list[bytes], now: int) -> None:
        if not sources or not self.is_querier:
            return
        most = now + self._settings.last_member_time
        for source in sources:
            kept.sources[source] = min(kept.sources[source], most)
            kept.question.source_left[source] = self._settings.robustness
        kept.question.next_at = now
        self._send_question(group, kept, now)

    def _send_question(self, group: bytes, kept: _Kept, now: int) -> None:
        settings = self._settings
        question = kept.question
        most = now + settings.last_member_time
        if question.group_left:
            question.group_left -= 1
            self._ready.append(self._query(group, (), kept.timer > most))
        # Those that somebody has asked for meanwhile go into a query of their own, which lowers nobody's timer.
        alive: list[bytes] = []
        dying: list[bytes] = []
        for source in sorted(question.source_left):
            question.source_left[source] -= 1
            (alive if kept.sources.get(source, 0) > most else dying).append(source)
        if settings.level == 3:
            if alive:
                self._ready.append(self._query(group, tuple(alive), True))
            if dying:
                self._ready.append(self._query(group, tuple(dying), False))
        question.source_left = {source: left for source, left in question.source_left.items() if left > 0}
        more = question.group_left or question.source_left
        question.next_at = now + settings.last_member_interval if more else NEVER

    def _query(self, group: bytes, sources: tuple[bytes, ...], suppress: bool) -> Query:
        settings = self._settings
        wait = settings.last_member_interval if any(group) else settings.response_interval
        return Query(settings.level, group, wait, sources, suppress, settings.robustness, settings.query_interval)

    # -- to the link

    def poll_message(self, now: int) -> Message | None:
        """The next query that is due."""
        if not self._ready and self.deadline <= now:
            self.handle_timeout(now)
        return self._ready.popleft() if self._ready else None

    @property
    def deadline(self) -> int:
        if self._ready:
            return 0
        at = self._general_at
        if self.other:
            at = min(at, self.other_until)
        for kept in self._groups.values():
            if kept.exclude:
                at = min(at, kept.timer)
            at = min(at, kept.question.next_at)
            for until in kept.sources.values():
                if 0 < until < at:
                    at = until
        return at

    def handle_timeout(self, now: int) -> None:
        if self.other and self.other_until <= now:
            # The querier has fallen silent: we ask again (§6.6.2).
            self.other = b""
            self._general_at = now
        if self._general_at <= now:
            self._ask_all(now)
        for group, kept in list(self._groups.items()):
            self._expire(group, kept, now)
            if kept.question.next_at <= now:
                self._send_question(group, kept, now)

    def _ask_all(self, now: int) -> None:
        settings = self._settings
        self._ready.append(self._query(bytes(len(self._address)), (), False))
        interval = settings.query_interval
        if self._startup_left > 1:
            # Hosts shall be known soon after a start (§8.6).
            interval //= 4
        self._startup_left = max(0, self._startup_left - 1)
        self._general_at = now + interval

    def _expire(self, group: bytes, kept: _Kept, now: int) -> None:
        """§6.2.2, §6.2.3, §6.3: sources first, then the group."""
        gone = [source for source, until in kept.sources.items() if 0 < until <= now]
        for source in gone:
            if kept.exclude:
                kept.sources[source] = 0
            else:
                del kept.sources[source]
        if kept.exclude and kept.timer <= now:
            kept.exclude = False
            kept.sources = {source: until for source, until in kept.sources.items() if until}
        elif not gone:
            return
        self._changed(group, kept)
