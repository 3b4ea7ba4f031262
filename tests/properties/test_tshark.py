"""An independent reader of our captures: nothing malformed, no bad checksum but those made on purpose, and whatever it
remarks about TCP has a reason that the trace knows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from netglass.experiments import NAMES, by_name
from netglass.trace.recorder import Recorder
from netglass.wire.packet import decode_packet
from tests.properties.hostile import Case, Hostile, drawn
from tests.properties.tshark import Reading, Trace, read

pytestmark = pytest.mark.tshark

SLOW_READER = Case(down=12_000, client_buffer=1, client_read=700, reading_pause=500)
CASES = [SLOW_READER, *(replace(drawn(seed), corruption=0) for seed in (4, 6, 7, 8, 12, 25))]


def recorded(case: Case) -> Recorder:
    hostile = Hostile(case)
    recorder = Recorder()
    hostile.net.observe(recorder)
    hostile.run()
    return recorder


def check(trace: Trace, directory: Path) -> list[Reading]:
    """tshark's readings, all of them in order and explained. For a trace without damaged packets."""
    readings = read(trace.capture(), directory)
    assert [each.number for each in readings if each.malformed or each.bad_checksum] == []
    assert trace.unexplained(readings) == []
    return readings


def test_every_remark_about_a_hostile_cable_has_a_reason(tmp_path: Path):
    remarks: Counter[str] = Counter()
    for case in CASES:
        recorder = recorded(case)
        for vantage in ("client", "server"):
            for reading in check(Trace(recorder, vantage), tmp_path):
                remarks.update(reading.flags)
    # The rules had something to explain.
    assert {flag for flag, count in remarks.items() if count > 5} >= {
        "retransmission",
        "fast_retransmission",
        "spurious_retransmission",
        "out_of_order",
        "lost_segment",
        "duplicate_ack",
        "zero_window",
        "window_full",
        "window_update",
        "keep_alive",
    }


def test_checksums_are_wrong_where_a_fault_made_them_so_and_nowhere_else(tmp_path: Path):
    for version in (4, 6):
        recorder = recorded(Case(seed=version, corruption=20, up=40_000, down=40_000, version=version))
        for vantage in ("client", "server"):
            trace = Trace(recorder, vantage)
            readings = read(trace.capture(), tmp_path)
            wrong = {each.number for each in readings if each.bad_checksum or each.malformed}
            damaged = {number for number, frame in enumerate(trace.frames, 1) if trace.damaged(frame)}
            assert wrong <= damaged
            # Some bits of a header are covered by no checksum, or make it another protocol's.
            assert len(wrong) > len(damaged) * 9 // 10 > 3


def is_later_fragment(data: bytes) -> bool:
    return decode_packet(data).fragment_offset > 0


# pyftpdlib imports modules that are deprecated; ftplib forgets its listening socket when PORT fails.
@pytest.mark.filterwarnings("ignore:The asyn.* module is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("name", NAMES)
def test_an_experiment(name: str, tmp_path: Path):
    experiment = by_name(name)
    if missing := experiment.missing():
        pytest.skip(f"{' and '.join(missing)} not installed")
    for part in experiment.run().parts:
        # A router's capture would show every packet twice; one end of each run is enough.
        trace = Trace(part.trace, "server" if "server" in part.trace.hosts() else part.hosts[-1])
        readings = read(trace.capture(), tmp_path)
        damaged = {number for number, frame in enumerate(trace.frames, 1) if trace.damaged(frame)}
        if name == "overlap-attack":
            # tshark calls an overlap malformed, which is the point, and so never sees the SYN that came in this way.
            later = {number for number, frame in enumerate(trace.frames, 1) if is_later_fragment(frame.data)}
            assert {each.number for each in readings if each.malformed or each.bad_checksum} == later != set()
            continue
        assert {each.number for each in readings if each.malformed or each.bad_checksum} <= damaged
        assert trace.unexplained(readings) == []


def test_a_frame_that_is_missing_is_noticed(tmp_path: Path):
    """The rules can fail: a capture that hides a frame has remarks without a reason."""
    trace = Trace(recorded(Case(up=30_000)), "server")
    check(trace, tmp_path)
    hidden = [place for place, frame in enumerate(trace.frames) if len(frame.data) > 1000][3]
    del trace.frames[hidden]
    remarks = trace.unexplained(read(trace.capture(), tmp_path))
    assert any("lost_segment" in each for each in remarks)


def test_a_byte_that_is_wrong_is_noticed(tmp_path: Path):
    trace = Trace(recorded(Case()), "server")
    frame = trace.frames[5]
    frame.data = frame.data[:-1] + bytes([frame.data[-1] ^ 1])
    readings = read(trace.capture(), tmp_path)
    assert [each.number for each in readings if each.bad_checksum] == [6]
