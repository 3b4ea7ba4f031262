"""What a host tells about its groups: the dialogue between one member and the routers and hosts of its link."""

from __future__ import annotations

from netglass.multicast.filter import SourceFilter, merge
from netglass.multicast.member import Member
from netglass.rng import Rng
from netglass.times import NEVER, SECOND
from netglass.wire.address import parse
from netglass.wire.igmp import ALL_HOSTS
from netglass.wire.membership import RECORD_NAMES, Message, OldReport, Query, Report

GROUP = parse("239.1.2.3")
OTHER = parse("239.9.9.9")
A, B, C, D = (parse(f"10.0.0.{number}") for number in (1, 2, 3, 4))
EVERYBODY = SourceFilter(True)
NOBODY = SourceFilter(False)


def line(message: Message) -> str:
    """A message in one line: "TO_EX 239.1.2.3 ()"."""
    if isinstance(message, Report):
        return ", ".join(
            f"{RECORD_NAMES[record.kind]}({' '.join(str(source[3]) for source in record.sources)})"
            for record in message.records
        )
    if isinstance(message, OldReport):
        return f"{'leave' if message.leaving else 'report'} v{message.level}"
    return "query"


class Link:
    """One member, and a clock that goes to its deadlines."""

    def __init__(self, highest: int = 3) -> None:
        self.member = Member(Rng(7).stream("member"), highest)
        self.now = 1 * SECOND

    def said(self) -> list[str]:
        """Everything that is due now."""
        lines = []
        while (message := self.member.poll_message(self.now)) is not None:
            lines.append(line(message))
        return lines

    def said_until(self, seconds: float) -> list[str]:
        """Everything that the member says up to `seconds` from now; the clock stands there afterwards."""
        end = self.now + int(seconds * SECOND)
        lines = self.said()
        while self.member.deadline <= end:
            assert self.member.deadline > self.now, "a deadline that is due must have been served"
            self.now = self.member.deadline
            lines += self.said()
        self.now = end
        return lines

    def query(
        self, level: int = 3, group: bytes = bytes(4), sources: tuple[bytes, ...] = (), most: int = SECOND
    ) -> None:
        self.member.receive_query(Query(level, group, most, sources, robustness=2, interval=125 * SECOND), self.now)

    def listen(self, wanted: SourceFilter, group: bytes = GROUP) -> None:
        self.member.set_filter(group, wanted, self.now)


def test_a_member_tells_that_it_comes_and_goes_twice_each() -> None:
    link = Link()
    link.listen(EVERYBODY)
    assert link.said() == ["TO_EX()"]
    assert link.said_until(2) == ["TO_EX()"]
    link.listen(NOBODY)
    assert link.said_until(2) == ["TO_IN()", "TO_IN()"]
    assert link.member.deadline == NEVER


def test_one_who_comes_and_goes_at_once_tells_the_last() -> None:
    link = Link()
    link.listen(EVERYBODY)
    link.said()
    link.listen(NOBODY)
    assert link.said_until(5) == ["TO_IN()", "TO_IN()"]


def test_sources_are_told_as_they_change() -> None:
    link = Link()
    link.listen(SourceFilter(False, (A, B)))
    assert link.said_until(2) == ["ALLOW(1 2)", "ALLOW(1 2)"]
    link.listen(SourceFilter(False, (B, C)))
    assert link.said() == ["ALLOW(3), BLOCK(1)"]
    # Before the second time, C goes again: what is told is what holds then (RFC 3376 §5.1).
    link.listen(SourceFilter(False, (B,)))
    assert link.said_until(3) == ["BLOCK(1 3)", "BLOCK(3)"]
    link.listen(SourceFilter(True, (D,)))
    assert link.said_until(3) == ["TO_EX(4)", "TO_EX(4)"]


def test_a_general_query_is_answered_with_everything_within_its_time() -> None:
    link = Link()
    link.listen(EVERYBODY)
    link.listen(SourceFilter(False, (A,)), OTHER)
    link.said_until(3)
    link.query(most=10 * SECOND)
    link.query(most=10 * SECOND)
    assert link.said_until(10) == ["IS_EX(), IS_IN(1)"]


def test_a_group_query_is_answered_for_this_group_only() -> None:
    link = Link()
    link.listen(EVERYBODY)
    link.listen(SourceFilter(False, (A, B)), OTHER)
    link.said_until(3)
    link.query(group=OTHER)
    assert link.said_until(1) == ["IS_IN(1 2)"]
    link.query(group=parse("239.7.7.7"))
    assert link.said_until(1) == []


def test_a_source_query_is_answered_with_those_that_are_heard() -> None:
    link = Link()
    link.listen(SourceFilter(True, (A,)))
    link.said_until(3)
    link.query(group=GROUP, sources=(A, B))
    link.query(group=GROUP, sources=(C,))
    assert link.said_until(1) == ["IS_IN(2 3)"]
    link.query(group=GROUP, sources=(A,))
    assert link.said_until(1) == []


def test_all_hosts_is_never_told() -> None:
    link = Link()
    link.listen(EVERYBODY, ALL_HOSTS)
    link.query()
    assert link.said_until(5) == []


def test_an_old_querier_makes_its_level_spoken_until_it_has_been_silent_long_enough() -> None:
    link = Link()
    link.listen(EVERYBODY)
    link.said_until(3)
    link.query(level=2)
    assert link.said_until(1) == ["report v2"]
    link.listen(NOBODY)
    assert link.said() == ["leave v2"]
    link.query(level=1)
    link.listen(EVERYBODY)
    # Unsolicited reports come twice.
    assert link.said_until(11) == ["report v1", "report v1"]
    link.listen(NOBODY)
    assert link.said_until(300) == []  # level 1 knows no leave; 260 s later the old querier is forgotten
    link.listen(EVERYBODY)
    assert link.said_until(3) == ["TO_EX()", "TO_EX()"]


def test_somebody_elses_report_makes_ours_needless_at_the_old_levels() -> None:
    link = Link(highest=2)
    link.listen(EVERYBODY)
    link.said_until(20)
    link.query(level=2)
    link.member.receive_report(OldReport(2, GROUP), link.now)
    assert link.said_until(5) == []
    link.listen(NOBODY)
    assert link.said_until(5) == []  # the last to report was somebody else: he keeps the group alive, or leaves


def test_a_long_list_goes_into_several_reports_that_fit_into_packets() -> None:
    link = Link()
    many = tuple(number.to_bytes(4, "big") for number in range(1, 201))
    link.listen(SourceFilter(False, many))
    reports = link.said()
    assert len(reports) > 1
    assert all(report.count(" ") < 60 for report in reports)
    assert sum(report.count(" ") + report.count("ALLOW") for report in reports) == 200


def test_filters_of_sockets_are_merged() -> None:
    def merged(*filters: SourceFilter) -> tuple[bool, tuple[bytes, ...]]:
        one = merge(list(filters))
        return one.exclude, one.sources

    # The examples of RFC 3376 §3.2.
    assert merged(SourceFilter(True, (A, B)), SourceFilter(True, (B, C)), SourceFilter(False, (B,))) == (True, ())
    assert merged(SourceFilter(False, (A,)), SourceFilter(False, (B, C))) == (False, (A, B, C))
    assert merged(SourceFilter(True, (A, B, C)), SourceFilter(False, (A,))) == (True, (B, C))
    assert merged() == (False, ())
    assert NOBODY.empty
    assert not SourceFilter(True).empty


def test_sources_that_are_asked_about_are_bounded():
    """A flood of queries before the answer is due: the group is told instead of each source."""
    link = Link()
    link.member.set_filter(GROUP, SourceFilter(False, (A,)), link.now)
    link.said_until(10)
    link.query(group=GROUP, sources=(B,), most=1000 * SECOND)
    for number in range(100):
        sources = tuple(bytes([192, 0, number, each]) for each in range(50))
        link.query(group=GROUP, sources=sources, most=1000 * SECOND)
    assert link.said_until(1000) == ["IS_IN(1)"]
