"""Time in a run: virtual, ordered, and seen under every name that programs have for it."""

import copy
import datetime as dt
import pickle
import sys
import time
import warnings
from time import monotonic as seconds_of_my_own

import netglass
from netglass import Network

HOUR = 3600


def lab():
    return Network(seed=1).host("a")


def test_an_hour_passes_at_once_and_exactly():
    def main():
        began, began_ns = time.monotonic(), time.monotonic_ns()
        time.sleep(HOUR)
        return time.monotonic() - began, time.monotonic_ns() - began_ns

    real = time.perf_counter()
    assert netglass.run(lab(), main) == (HOUR, HOUR * 10**9)
    assert time.perf_counter() - real < 5


def test_the_date_is_the_same_in_every_run():
    def main():
        return time.ctime(), time.strftime("%Y-%m-%d", time.gmtime()), time.time()

    first = netglass.run(lab(), main)
    assert first == netglass.run(lab(), main)
    assert first[1:] == ("2026-01-01", 1767225600.0)


def test_dates_are_those_of_the_world_too():
    def main():
        time.sleep(1.5)
        with warnings.catch_warnings(record=sys.version_info >= (3, 12)):
            warnings.simplefilter("always")
            utc = dt.datetime.utcnow()  # noqa: DTZ003
        now = dt.datetime.now(dt.UTC)
        assert utc == now.replace(tzinfo=None)
        local = dt.datetime.now()  # noqa: DTZ005
        assert local == dt.datetime.today() == dt.datetime.fromtimestamp(time.time())  # noqa: DTZ002, DTZ006
        assert dt.date.today() == local.date()  # noqa: DTZ011
        return now

    assert netglass.run(lab(), main).isoformat() == "2026-01-01T00:00:01.500000+00:00"


def test_a_date_is_exact_to_the_microsecond():
    def main():
        for number in range(1, 200):
            time.sleep(0.001_001)
            yield number * 1001 % 1_000_000, dt.datetime.now(dt.UTC).microsecond

    pairs = netglass.run(lab(), lambda: list(main()))
    assert [now for _, now in pairs] == [expected for expected, _ in pairs]


class Moment(dt.datetime):
    """A subclass gets its own kind."""


def test_a_date_of_a_run_is_an_ordinary_date():
    before = vars(dt.datetime)["now"]
    real = dt.datetime.now(dt.UTC)

    def main():
        now = dt.datetime.now(dt.UTC)
        assert type(now) is type(real) is dt.datetime
        assert type(Moment.now(dt.UTC)) is Moment
        assert pickle.loads(pickle.dumps(now)) == copy.copy(now) == now
        assert isinstance(real, dt.datetime)
        return now

    assert (real - netglass.run(lab(), main)).total_seconds() != 0
    assert vars(dt.datetime)["now"] is before
    assert abs(dt.datetime.now(dt.UTC).timestamp() - time.time()) < 5
    assert abs(Moment.now(dt.UTC).timestamp() - time.time()) < 5


def test_an_imported_name_tells_the_same_time():
    def main():
        time.sleep(2)
        return seconds_of_my_own() == time.monotonic()

    assert netglass.run(lab(), main) is True


def test_a_default_argument_tells_the_same_time():
    assert netglass.run(lab(), lambda: clock_in_a_default() == time.time())


def clock_in_a_default(clock=time.time):
    return clock()


class Timer:
    clock = time.monotonic  # a builtin does not become a method


def test_a_class_attribute_tells_the_same_time():
    def main():
        return Timer().clock() == time.monotonic()  # type: ignore[misc]

    assert netglass.run(lab(), main)
    assert Timer.clock is time.monotonic


def test_whoever_looks_at_the_clock_until_it_is_late_gets_there():
    def main():
        began = time.monotonic_ns()
        while time.monotonic_ns() < began + 5_000_000:
            pass
        return time.monotonic_ns() - began

    assert 5_000_000 <= netglass.run(lab(), main) <= 5_002_000


def test_sleeping_for_no_time_lets_the_others_go_first():
    import threading

    def main():
        order = []

        def other():
            order.append("other")

        threading.Thread(target=other).start()
        time.sleep(0)
        order.append("main")
        return order

    assert netglass.run(lab(), main) == ["other", "main"]


def test_a_loop_of_empty_sleeps_does_not_stop_time():
    def main():
        began = time.monotonic()
        while time.monotonic() < began + 0.001:
            time.sleep(0)
        return True

    assert netglass.run(lab(), main)


def test_bad_lengths_of_sleep_are_refused_as_ever():
    def main():
        errors = []
        for length in (-1, float("nan")):
            try:
                time.sleep(length)
            except ValueError as error:
                errors.append(str(error))
        return errors

    assert netglass.run(lab(), main) == ["sleep length must be non-negative", "Invalid value NaN (not a number)"]


def test_programs_and_generator_processes_share_the_time():
    net = Network(seed=1)
    host = net.host("a")
    seen = []

    def process(io):
        yield from io.sleep("2 s")
        seen.append(("process", io.now()))

    def main():
        time.sleep(1)
        seen.append(("main", net.now()))
        time.sleep(2)
        seen.append(("main", net.now()))

    host.spawn(process)
    netglass.run(host, main)
    assert seen == [("main", 10**9), ("process", 2 * 10**9), ("main", 3 * 10**9)]


def test_who_sleeps_needs_no_processor():
    def main():
        began = time.process_time(), time.thread_time(), time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
        time.sleep(HOUR)
        slept = time.process_time(), time.thread_time(), time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
        while time.process_time() < 0.001:
            pass
        return slept == began, time.thread_time(), time.process_time()

    same, of_thread, of_process = netglass.run(lab(), main)
    assert same
    assert 0.001 <= of_thread <= of_process < 0.0011
