"""Why does a connection begin slowly?"""

from __future__ import annotations

from typing import Any

from netglass.errors import MisuseError
from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import counted
from netglass.experiments.scene import Scene, Steps, noted
from netglass.host.config import HostConfig
from netglass.lab.io import Io
from netglass.network.fault import Fault
from netglass.network.faults import drop
from netglass.network.match import data
from netglass.times import SECOND, duration, human

START = SECOND


def serve(io: Io) -> Steps:
    listener = io.listen(80)
    stream = yield from listener.accept()
    yield from stream.receive_all()
    io.note("has everything")


def call(io: Io, size: int) -> Steps:
    stream = yield from io.connect("server", 80)
    yield from io.sleep(START - io.now())
    io.note(f"send() {size} bytes")
    yield from stream.send(bytes(size))
    stream.close()


def run(rtt: str, kilobytes: int, initial: int, lost: int) -> Outcome:
    config = HostConfig()
    config.tcp.initial_cwnd = initial
    config.tcp.slow_start_after_idle = False
    faults: list[Fault] = [drop(data.from_("client"), nth=lost)] if lost else []
    scene = Scene(rtt, faults, client=config)
    scene.server.spawn(serve)
    scene.client.spawn(call, kilobytes * 1000)
    scene.net.run(until="200 s")
    trace = scene.trace
    rounds = by_round(scene, duration(rtt))
    done = noted(trace, "server", "has everything")
    mss = trace.snapshots("client")[-1][1].mss
    if lost and not trace.losses():
        segments = len([each for each in trace.transmissions("client") if each.length])
        raise MisuseError(f"--lost is one of the segments, 1 to {segments} with {kilobytes} kB; this is {lost}")
    windows = [window // mss for window, _ in rounds]
    sent = [count for _, count in rounds]
    figures: dict[str, Any] = {
        "mss": mss,
        "windows": windows,
        "sent": sent,
        "segments": sum(sent),
        "round_trips": len(sent),
        "took": done - START,
        "ssthresh_at_end": trace.snapshots("client")[-1][1].ssthresh // mss if trace.losses() else 0,
        "retransmissions": len(trace.retransmissions("client")),
    }
    answer = (
        f"A new connection knows nothing of the path, so it begins with {counted(initial, 'segment')} (RFC 6928: ten) and lets each acknowledged "
        f"segment bring one more: the congestion window doubles every round trip (slow start, RFC 5681 §3.1). Here it was "
        f"{', '.join([str(each) for each in windows])} segments of {mss} bytes, and {kilobytes} kB took {human(figures['took'])}, "
        f"{counted(len(sent), 'round trip')}, whatever the rate of the path: for short transfers only the round trip counts. "
    )
    if trace.losses():
        answer += (
            f"Segment {lost} was lost: that says the path is full, so the window was cut (ssthresh {figures['ssthresh_at_end']} segments) and "
            f"grows slowly from there (congestion avoidance)."
        )
    else:
        answer += f"It ends with the first loss: try --lost {min(40, sum(sent))}."
    table = Table(
        ("round trip", "congestion window", "segments sent"),
        [
            (str(place + 1), str(window), str(count))
            for place, (window, count) in enumerate(zip(windows, sent, strict=True))
        ],
    )
    return Outcome(answer, figures, [Part("slow start", trace, start=START, end=START + 2 * duration(rtt))], table)


def by_round(scene: Scene, rtt: int) -> list[tuple[int, int]]:
    """For each round trip in which data was sent: the congestion window at the end of it in bytes, and the segments."""
    snapshots = scene.trace.snapshots("client")
    data_times = [each.time for each in scene.trace.transmissions("client") if each.length]
    found: list[tuple[int, int]] = []
    for begin in range(START, data_times[-1] + 1, rtt):
        count = len([time for time in data_times if begin <= time < begin + rtt])
        window = [tcb.cwnd for time, tcb in snapshots if time < begin + rtt][-1]
        found.append((window, count))
    return found


EXPERIMENT = Experiment(
    "slow-start",
    "reliable",
    "Why does a connection begin slowly?",
    run,
    (
        Parameter("rtt", "100ms", "round-trip time", "1ms", "900ms"),
        Parameter("kilobytes", 200, "how much is sent", 1, 1000),
        Parameter("initial", 10, "initial window in segments", 1, 100),
        Parameter("lost", 0, "which segment is lost, 0 for none", 0, 1000),
    ),
)
