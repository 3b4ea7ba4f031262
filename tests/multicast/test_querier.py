"""What a router asks and keeps: the dialogue between one querier, the hosts of its link and other routers."""

from __future__ import annotations

import pytest

from netglass.multicast.filter import SourceFilter
from netglass.multicast.member import Member
from netglass.multicast.querier import MOST_GROUPS, Querier, QuerierSettings
from netglass.rng import Rng
from netglass.times import SECOND
from netglass.wire.address import parse
from netglass.wire.membership import (
    ALLOW_NEW,
    BLOCK_OLD,
    IS_EXCLUDE,
    IS_INCLUDE,
    TO_EXCLUDE,
    TO_INCLUDE,
    OldReport,
    Query,
    Record,
    Report,
)

GROUP = parse("239.1.2.3")
US = parse("10.0.0.5")
A, B, C = (parse(f"10.0.0.{number}") for number in (11, 12, 13))


class Link:
    """One querier, past its start-up, and a clock that goes to its deadlines."""

    def __init__(self, level: int = 3) -> None:
        settings = QuerierSettings()
        settings.level = level
        self.now = 1 * SECOND
        self.querier = Querier(US, settings, self.now)

    def asked(self) -> list[str]:
        lines = []
        while (message := self.querier.poll_message(self.now)) is not None:
            assert isinstance(message, Query)
            about = "all" if message.general else "group"
            if message.sources:
                about = " ".join(str(source[3]) for source in message.sources)
            lines.append(about + (" (S)" if message.suppress else ""))
        return lines

    def asked_until(self, seconds: float) -> list[str]:
        end = self.now + int(seconds * SECOND)
        lines = self.asked()
        while self.querier.deadline <= end:
            assert self.querier.deadline > self.now, "a deadline that is due must have been served"
            self.now = self.querier.deadline
            lines += self.asked()
        self.now = end
        return lines

    def report(self, kind: int, *sources: bytes, group: bytes = GROUP) -> None:
        self.querier.receive_report(Report((Record(kind, group, sources),)), self.now)

    def wanted(self, *sources: bytes) -> list[int]:
        return [source[3] for source in sources if self.querier.wants(GROUP, source)]


def test_it_asks_soon_at_the_start_and_then_every_125_seconds() -> None:
    link = Link()
    assert link.asked() == ["all"]
    assert link.asked_until(31) == []
    assert link.asked_until(1) == ["all"]
    assert link.asked_until(124) == []
    assert link.asked_until(126) == ["all", "all"]


def test_a_group_is_wanted_as_long_as_it_is_reported() -> None:
    link = Link()
    assert link.wanted(A) == []
    link.report(IS_EXCLUDE)
    assert link.wanted(A, B) == [11, 12]
    link.asked_until(259)
    assert link.wanted(A) == [11]
    link.asked_until(2)
    assert link.wanted(A) == []


def test_a_leave_is_asked_about_twice_and_believed_after_two_seconds() -> None:
    link = Link()
    link.asked_until(40)
    link.report(TO_EXCLUDE)
    link.report(TO_INCLUDE)
    assert link.asked() == ["group"]
    assert link.wanted(A) == [11]
    assert link.asked_until(1.5) == ["group"]
    assert link.wanted(A) == [11]
    link.asked_until(1)
    assert link.wanted(A) == []


def test_somebody_who_stays_keeps_the_group() -> None:
    link = Link()
    link.asked_until(40)
    link.report(TO_EXCLUDE)
    link.report(TO_INCLUDE)
    link.asked()
    link.report(IS_EXCLUDE)
    # The second question says that timers are to be left alone: somebody has answered (RFC 3376 §6.6.3.1).
    assert link.asked_until(5) == ["group (S)"]
    assert link.wanted(A) == [11]


def test_sources_that_are_included() -> None:
    link = Link()
    link.asked_until(40)
    link.report(ALLOW_NEW, A, B)
    assert link.wanted(A, B, C) == [11, 12]
    link.report(BLOCK_OLD, A)
    assert link.asked_until(3) == ["11", "11"]
    assert link.wanted(A, B, C) == [12]
    link.report(IS_INCLUDE, C)
    assert link.wanted(A, B, C) == [12, 13]


def test_sources_that_are_excluded() -> None:
    link = Link()
    link.asked_until(40)
    link.report(TO_EXCLUDE, A)
    assert link.wanted(A, B, C) == [12, 13]
    link.report(ALLOW_NEW, A)
    assert link.wanted(A, B, C) == [11, 12, 13]
    link.report(BLOCK_OLD, A, B)
    assert link.asked_until(3) == ["11 12", "11 12"]
    assert link.wanted(A, B, C) == [13]
    assert link.querier.groups()[GROUP].same(SourceFilter(True, (A, B)))


def test_when_the_last_excluder_goes_the_included_remain() -> None:
    link = Link()
    link.report(TO_EXCLUDE)
    link.asked_until(200)
    link.report(ALLOW_NEW, A)
    link.asked_until(70)
    assert link.wanted(A, B) == [11]


def test_an_old_host_cannot_tell_sources_and_a_level_1_host_cannot_leave() -> None:
    link = Link()
    link.asked_until(40)
    link.querier.receive_report(OldReport(2, GROUP), link.now)
    link.report(BLOCK_OLD, A)
    assert link.wanted(A) == [11]
    link.querier.receive_report(OldReport(2, GROUP, leaving=True), link.now)
    assert link.asked() == ["group"]
    link.querier.receive_report(OldReport(1, GROUP), link.now)
    link.querier.receive_report(OldReport(2, GROUP, leaving=True), link.now)
    link.asked_until(10)
    assert link.wanted(A) == [11]


def test_the_lower_address_is_the_querier_and_its_silence_ends_that() -> None:
    link = Link()
    link.asked_until(40)
    link.querier.receive_query(Query(3, bytes(4), 10 * SECOND), parse("10.0.0.9"), link.now)
    assert link.querier.is_querier
    link.querier.receive_query(Query(3, bytes(4), 10 * SECOND), parse("10.0.0.1"), link.now)
    assert not link.querier.is_querier
    assert link.asked_until(254) == []
    assert link.asked_until(2) == ["all"]
    assert link.querier.is_querier


def test_who_is_not_the_querier_asks_nobody_and_believes_the_querier() -> None:
    link = Link()
    link.asked_until(40)
    link.querier.receive_query(Query(3, bytes(4), 10 * SECOND), parse("10.0.0.1"), link.now)
    link.report(TO_EXCLUDE)
    link.report(TO_INCLUDE)
    assert link.asked_until(5) == []
    assert link.wanted(A) == [11]
    link.querier.receive_query(Query(3, GROUP, SECOND), parse("10.0.0.1"), link.now)
    link.asked_until(3)
    assert link.wanted(A) == []


def test_a_suppressed_query_lowers_no_timer() -> None:
    link = Link()
    link.report(IS_EXCLUDE)
    link.querier.receive_query(Query(3, GROUP, SECOND, suppress=True), parse("10.0.0.1"), link.now)
    link.asked_until(10)
    assert link.wanted(A) == [11]


def test_a_flood_of_groups_is_bounded_and_counted() -> None:
    link = Link()
    for number in range(MOST_GROUPS + 10):
        link.report(IS_EXCLUDE, group=(0xEF010000 + number).to_bytes(4, "big"))
    assert len(link.querier.groups()) == MOST_GROUPS
    assert link.querier.ignored == 10


class Street:
    """One querier and two members on a link that loses nothing."""

    def __init__(self, level: int) -> None:
        self.link = Link(level)
        self.members = [Member(Rng(level).stream("member", number), level) for number in range(2)]

    def settle(self, seconds: int) -> None:
        link = self.link
        end = link.now + seconds * SECOND
        while True:
            at = min([member.deadline for member in self.members] + [link.querier.deadline])
            if at > end:
                break
            link.now = max(link.now, at)
            while (question := link.querier.poll_message(link.now)) is not None:
                assert isinstance(question, Query)
                for member in self.members:
                    member.receive_query(question, link.now)
            for member in self.members:
                self.carry_answers(member)
        link.now = end

    def carry_answers(self, member: Member) -> None:
        now = self.link.now
        while (answer := member.poll_message(now)) is not None:
            assert not isinstance(answer, Query)
            self.link.querier.receive_report(answer, now)
            for other in self.members:
                if other is not member and isinstance(answer, OldReport):
                    other.receive_report(answer, now)


@pytest.mark.parametrize("level", [2, 3])
def test_members_and_a_querier_agree(level: int) -> None:
    """Whatever two members do, the querier soon wants what they want, and no more."""
    street = Street(level)
    link = street.link
    rng = Rng(level)
    wanted = [SourceFilter(False), SourceFilter(False)]
    for _ in range(60):
        who = rng.below(2)
        sources = tuple(source for source in (A, B, C) if rng.below(2))
        wanted[who] = SourceFilter(rng.below(2) == 1, sources if level == 3 else ())
        street.members[who].set_filter(GROUP, wanted[who], link.now)
        street.settle(rng.below(3))
        if rng.below(3) == 0:
            # A group that nobody reports falls silent after the membership interval at the latest.
            street.settle(300)
            expected = [source[3] for source in (A, B, C) if any(one.allows(source) for one in wanted)]
            assert link.wanted(A, B, C) == expected
