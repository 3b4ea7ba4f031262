"""The host's side of membership on one interface (RFC 3376 §5 and §7.2, RFC 3810 §6 and §8.2; Linux's igmp.c).

    set_filter ──► change reports, `robustness` times, the first at once
    receive_query ──► a report after a random delay within the time that the query gives
    receive_report (levels 1 and 2) ──► somebody else has answered: our own answer is not needed

An older querier on the link is heard, and its level spoken until it has been silent long enough.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.multicast.filter import NOBODY, SourceFilter
from netglass.multicast.groups import reported
from netglass.rng import Rng
from netglass.times import MILLISECOND, NEVER, SECOND
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

UNSOLICITED_3: Final = 1 * SECOND  # RFC 3376 §8.11
UNSOLICITED_2: Final = 10 * SECOND  # RFC 2236 §8.10
QUERY_INTERVAL: Final = 125 * SECOND  # RFC 3376 §8.2, until a querier tells another
ROBUSTNESS: Final = 2  # RFC 3376 §8.1
RECORDS_IN_REPORT: Final = 56
SOURCES_IN_RECORD: Final = 56
"""A report must fit into one packet of any link that we know: what is longer goes into several."""

MOST_ASKED: Final = 1024
"""Sources that queries may ask about before the answer is due; of more, the whole group is told."""


class _Membership:
    """What we tell of one group, and what is still to be told."""

    __slots__ = ("asked", "changes_left", "filter", "last_reporter", "mode_left", "report_at", "source_left")

    def __init__(self) -> None:
        self.filter: SourceFilter = NOBODY
        self.mode_left: int = 0  # change reports of the filter mode still to send
        self.source_left: dict[bytes, int] = {}  # change reports still to send, per source
        self.changes_left: int = 0  # unsolicited reports of levels 1 and 2 still to send
        self.report_at: int = NEVER  # answer to a query about this group; level 1, 2: or the next unsolicited one
        self.asked: set[bytes] | None = None  # about these sources; None: about the group
        self.last_reporter: bool = False  # level 2: ours was the last report, so we say when we leave (RFC 2236 §3)


class Member:
    """Memberships of one interface in groups of one IP version. `highest`: the level that we speak if nobody on the
    link needs an older one (force_igmp_version)."""

    __slots__ = (
        "_change_at",
        "_general_at",
        "_groups",
        "_highest",
        "_interval",
        "_old_1_until",
        "_old_2_until",
        "_ready",
        "_rng",
        "_robustness",
    )

    def __init__(self, rng: Rng, highest: int = 3) -> None:
        self._rng: Rng = rng
        self._highest: int = highest
        self._groups: dict[bytes, _Membership] = {}
        self._robustness: int = ROBUSTNESS
        self._interval: int = QUERY_INTERVAL
        self._general_at: int = NEVER  # answer to a general query
        self._change_at: int = NEVER  # next change report of level 3
        self._old_1_until: int = -1  # a querier of level 1 was heard: its level until then
        self._old_2_until: int = -1
        self._ready: deque[Message] = deque()

    # -- from above

    def set_filter(self, group: bytes, wanted: SourceFilter, now: int) -> None:
        """What the interface listens to in `group` from now on; an empty filter leaves it."""
        known = self._groups.get(group)
        old = known.filter if known is not None else NOBODY
        if wanted.same(old):
            return
        if known is None:
            known = self._groups[group] = _Membership()
        known.filter = wanted
        if not reported(group):
            if wanted.empty:
                del self._groups[group]
            return
        if self.level(now) < 3:
            self._changed_old(group, known, old, now)
        else:
            self._changed(known, old, now)

    def _changed_old(self, group: bytes, known: _Membership, old: SourceFilter, now: int) -> None:
        """Levels 1 and 2 know groups and no sources: only coming and going is told."""
        if known.filter.empty:
            if known.last_reporter and self.level(now) == 2:
                self._ready.append(OldReport(2, group, leaving=True))
            del self._groups[group]
        elif old.empty:
            known.changes_left = self._robustness
            known.report_at = now

    def _changed(self, known: _Membership, old: SourceFilter, now: int) -> None:
        new = known.filter
        if new.exclude is not old.exclude:
            known.mode_left = self._robustness
            known.source_left.clear()
        else:
            for source in sorted(set(new.sources) ^ set(old.sources)):
                known.source_left[source] = self._robustness
        self._change_at = now

    # -- from the link

    def receive_query(self, query: Query, now: int) -> None:
        """RFC 3376 §5.2, §7.2.1. Whether the query may be believed is the caller's to see."""
        if query.level < 3 and query.level <= self._highest:
            self._heard_old(query, now)
        if query.level >= 3:
            if query.robustness:
                self._robustness = query.robustness
            if query.interval:
                self._interval = query.interval
        delay = self._rng.below(max(1, query.max_response // MILLISECOND)) * MILLISECOND
        at = now + delay
        if self.level(now) < 3:
            self._answer_old(query, at)
            return
        if self._general_at <= at:
            return
        if query.general:
            self._general_at = at
            return
        known = self._groups.get(query.group)
        if known is None or known.filter.empty or not reported(query.group):
            return
        if known.report_at == NEVER:
            known.report_at = at
            known.asked = set(query.sources) if query.sources else None
            return
        known.report_at = min(known.report_at, at)
        if known.asked is not None:
            known.asked.update(query.sources)
            if not query.sources or len(known.asked) > MOST_ASKED:
                known.asked = None

    def _heard_old(self, query: Query, now: int) -> None:
        until = now + self._robustness * self._interval + 10 * SECOND  # RFC 3376 §8.12
        before = self.level(now)
        if query.level == 1:
            self._old_1_until = until
        else:
            self._old_2_until = until
        if self.level(now) != before:
            # RFC 3376 §7.2.1: whatever was pending was of another level.
            self._general_at = self._change_at = NEVER
            for group in list(self._groups):
                self._forget_pending(group)

    def _forget_pending(self, group: bytes) -> None:
        known = self._groups[group]
        known.mode_left = known.changes_left = 0
        known.source_left.clear()
        known.report_at = NEVER
        known.asked = None
        if known.filter.empty:
            del self._groups[group]

    def _answer_old(self, query: Query, at: int) -> None:
        for group, known in self._groups.items():
            if known.filter.empty or not reported(group):
                continue
            if query.general or query.group == group:
                known.report_at = min(known.report_at, at)

    def receive_report(self, report: OldReport, now: int) -> None:
        """RFC 2236 §3: a report of somebody else makes ours needless, at levels 1 and 2."""
        known = self._groups.get(report.group)
        if known is None or report.leaving or self.level(now) == 3:
            return
        known.report_at = NEVER
        known.changes_left = 0
        known.last_reporter = False

    # -- to the link

    def level(self, now: int) -> int:
        """What is spoken now: the level of the oldest querier on the link."""
        if now < self._old_1_until:
            return 1
        if now < self._old_2_until:
            return min(2, self._highest)
        return self._highest

    def poll_message(self, now: int) -> Message | None:
        """The next message that is due."""
        if not self._ready and self.deadline <= now:
            self.handle_timeout(now)
        return self._ready.popleft() if self._ready else None

    @property
    def deadline(self) -> int:
        if self._ready:
            return 0
        at = min(self._general_at, self._change_at)
        for known in self._groups.values():
            if known.report_at < at:
                at = known.report_at
        return at

    def handle_timeout(self, now: int) -> None:
        if self.level(now) < 3:
            self._report_old(now)
            return
        if self._change_at <= now:
            self._report_changes(now)
        if self._general_at <= now:
            self._general_at = NEVER
            told = [group for group, known in self._groups.items() if not known.filter.empty and reported(group)]
            self._tell([self._state_of(group) for group in told])
            for known in self._groups.values():
                known.report_at = NEVER
                known.asked = None
        for group, known in self._groups.items():
            if known.report_at <= now:
                known.report_at = NEVER
                self._answer(group, known)

    def _report_old(self, now: int) -> None:
        self._general_at = self._change_at = NEVER  # of level 3, before an older querier came
        level = self.level(now)
        for group, known in self._groups.items():
            if known.report_at > now:
                continue
            known.report_at = NEVER
            known.last_reporter = True
            self._ready.append(OldReport(level, group))
            if known.changes_left > 1:
                known.changes_left -= 1
                known.report_at = now + self._delay(UNSOLICITED_2)

    def _delay(self, most: int) -> int:
        return (1 + self._rng.below(most // MILLISECOND)) * MILLISECOND

    def _state_of(self, group: bytes) -> Record:
        wanted = self._groups[group].filter
        return Record(IS_EXCLUDE if wanted.exclude else IS_INCLUDE, group, wanted.sources)

    def _answer(self, group: bytes, known: _Membership) -> None:
        asked = known.asked
        known.asked = None
        if known.filter.empty:
            return
        if asked is None:
            self._tell([self._state_of(group)])
            return
        heard = tuple([source for source in sorted(asked) if known.filter.allows(source)])
        if heard:
            self._tell([Record(IS_INCLUDE, group, heard)])

    def _report_changes(self, now: int) -> None:
        records: list[Record] = []
        more = False
        for group, known in list(self._groups.items()):
            if known.mode_left:
                known.mode_left -= 1
                for source in known.source_left:
                    known.source_left[source] -= 1
                records.append(Record(TO_EXCLUDE if known.filter.exclude else TO_INCLUDE, group, known.filter.sources))
            elif known.source_left:
                self._tell_sources(group, known, records)
            known.source_left = {source: left for source, left in known.source_left.items() if left > 0}
            if known.mode_left or known.source_left:
                more = True
            elif known.filter.empty:
                del self._groups[group]
        self._tell(records)
        self._change_at = now + self._delay(UNSOLICITED_3) if more else NEVER

    def _tell_sources(self, group: bytes, known: _Membership, records: list[Record]) -> None:
        allowed: list[bytes] = []
        blocked: list[bytes] = []
        for source in sorted(known.source_left):
            known.source_left[source] -= 1
            (allowed if known.filter.allows(source) else blocked).append(source)
        if allowed:
            records.append(Record(ALLOW_NEW, group, tuple(allowed)))
        if blocked:
            records.append(Record(BLOCK_OLD, group, tuple(blocked)))

    def _tell(self, records: list[Record]) -> None:
        """In reports that fit into packets. An EXCLUDE list that is too long is cut, anything else is spread over
        several records (RFC 3376 §4.2.16)."""
        pieces: list[Record] = []
        for record in records:
            if record.kind in (IS_EXCLUDE, TO_EXCLUDE) or len(record.sources) <= SOURCES_IN_RECORD:
                pieces.append(Record(record.kind, record.group, record.sources[:SOURCES_IN_RECORD]))
                continue
            starts = range(0, len(record.sources), SOURCES_IN_RECORD)
            parts = [record.sources[at : at + SOURCES_IN_RECORD] for at in starts]
            pieces.extend([Record(record.kind, record.group, part) for part in parts])
        batch: list[Record] = []
        weight = 0
        for piece in pieces:
            if batch and weight + 1 + len(piece.sources) > RECORDS_IN_REPORT:
                self._ready.append(Report(tuple(batch)))
                batch = []
                weight = 0
            batch.append(piece)
            weight += 1 + len(piece.sources)
        if batch:
            self._ready.append(Report(tuple(batch)))
