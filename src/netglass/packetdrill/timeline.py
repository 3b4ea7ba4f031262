"""Virtual time, and the one system call that may be waiting meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from netglass.packetdrill.bench import Bench
from netglass.packetdrill.process import Waiting
from netglass.packetdrill.result import Mismatch
from netglass.packetdrill.script import Event
from netglass.times import NEVER


class Timeline:
    """Lets time pass on a bench. A call that waits is resumed after whatever happens, and when its own time is up."""

    def __init__(self, bench: Bench, returned: Callable[[Event, Mismatch | None], None]) -> None:
        self._bench = bench
        self._returned = returned  # told when the call has returned; the Mismatch if not with what the script says
        self._waiting: Waiting | None = None
        self._deadline = NEVER  # of the call: when it returns for lack of anything to happen
        self.blocked: Event | None = None  # whose call waits

    def block(self, event: Event, waiting: Waiting) -> None:
        """The call of `event` waits, from now on."""
        self.blocked = event
        self._waiting = waiting
        self.resume()

    def resume(self) -> None:
        """Let the call that waits look again."""
        event, waiting = self.blocked, self._waiting
        if event is None or waiting is None:
            return
        mismatch: Mismatch | None = None
        try:
            self._deadline = next(waiting)
            self._bench.settle()
            return
        except StopIteration:
            pass
        except Mismatch as problem:
            problem.line = event.line
            mismatch = problem
        self.blocked = self._waiting = None
        self._bench.settle()
        self._returned(event, mismatch)

    def step(self, limit: int) -> bool:
        """What happens next, by `limit`: a timer of the host, or the call's own. False: nothing more does."""
        if self.blocked is not None and self._deadline <= limit and self._deadline < self._bench.host.deadline:
            self._bench.now = max(self._bench.now, self._deadline)
            self.resume()
            return True
        happened = self._bench.run_next(limit)
        if happened:
            self.resume()
        return happened

    def advance(self, until: int) -> None:
        """All that happens up to `until`; then it is that time."""
        while self.step(until):
            pass

    def wait_for_call(self, limit: int) -> bool:
        """Time passes until no call waits, at most up to `limit`. False if one still does."""
        while self.blocked is not None:
            if not self.step(limit):
                return False
        return True
