"""What programs ask of the machine, and how long they sleep in it: as strace(1) tells it.

    log = CallLog()
    run(client, main, calls=log)
    print(log.text())
    sum([each.slept for each in log.of("recv")])        ns that threads slept in recv()

What a program computes takes no virtual time: all that passes between the beginning of a call and its end is sleep.
Only calls that move bytes, wait, or change how one waits are kept, by their names in Python; a lock that is free is no
call, one that must be waited for is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final

from netglass import errnos
from netglass.programs import current, descriptors, locks, select, socket
from netglass.programs.kernel import Task
from netglass.programs.patches import Patch
from netglass.sockets.sockets import DESCRIPTORS_MAX
from netglass.times import human
from netglass.world import POLLIN, POLLOUT, POLLPRI

_ON_CONNECTIONS: Final = ("recv", "recvfrom", "recvmsg", "send", "sendto", "sendmsg", "sendall", "shutdown")
_SOCKET: Final[dict[str, str]] = {
    **{name: name for name in (*_ON_CONNECTIONS, "connect", "connect_ex", "setblocking")},
    "recv_into": "recv",
    "recvfrom_into": "recvfrom",
    "recvmsg_into": "recvmsg",
    "_accept": "accept",
    "_real_close": "close",
}
"""Methods of a socket, and what they are called here."""

_METHODS: Final[tuple[tuple[Any, dict[str, str]], ...]] = (
    (socket.LabSocket, _SOCKET),
    (select.poll, {"poll": "poll"}),
    (select.epoll, {"poll": "epoll.poll", "register": "epoll.register", "modify": "epoll.modify"}),
    (locks.Exclusive, {"take": "lock"}),
)
_FILES: Final = ("read", "write", "readv", "writev", "sendfile", "splice")
_FUNCTIONS: Final = frozenset({*_FILES, "set_blocking", "fcntl", "select", "sleep"})

_WITH_NUMBER: Final = frozenset({*_SOCKET.values(), *_FILES, "fcntl", "set_blocking"})
_WITH_PEER: Final = frozenset({*_ON_CONNECTIONS, *_FILES, "close"})
_READY: Final = frozenset({"select", "poll", "epoll.poll"})
_SELECTED: Final = (POLLIN, POLLOUT, POLLPRI)


class Call:
    """One call. Times in ns of the world."""

    __slots__ = (
        "amount",
        "asked",
        "began",
        "ended",
        "error",
        "host",
        "name",
        "naps",
        "number",
        "ready",
        "slept_at",
        "task",
        "who",
    )

    def __init__(self, host: str, task: str, name: str, number: int, began: int) -> None:
        self.host: str = host
        self.task: str = task  # the thread's name
        self.name: str = name  # "recv", "epoll.poll", "lock"
        self.number: int = number  # the descriptor, -1 if there is none
        self.who: str = ""  # the host at the other end
        self.began: int = began
        self.ended: int = -1  # -1: not yet
        self.slept_at: int = -1  # when it began to wait, -1 if it never did
        self.naps: int = 0  # how often: more than once if it was woken for nothing
        self.amount: int = -1  # bytes moved, -1 if it moves none
        self.asked: int = 0  # of a select or poll: about how many descriptors
        self.ready: list[tuple[str, int, int]] = []  # of a select or poll: (who, descriptor, events)
        self.error: str = ""  # such as "EAGAIN"

    @property
    def slept(self) -> int:
        """How long the thread slept in it, in ns."""
        return max(self.ended - self.began, 0)

    def tells(self) -> bool:
        """Whether it did something that one would like to see."""
        return bool(self.error or self.ready) or self.slept_at >= 0 or self.amount >= 0

    def __str__(self) -> str:
        """ "recv(server) returns 5 bytes"."""
        call = f"{self.name}({self.who})"
        if self.error:
            return f"{call}: {self.error}"
        if self.name in _READY:
            return f"{call} returns {', '.join([who for who, _, _ in self.ready]) or 'nobody'}"
        if self.amount < 0:
            return f"{call} returns"
        return f"{call} returns {self.amount:,} byte{'s' * (self.amount != 1)}"

    def __repr__(self) -> str:
        return f"<{self.host} {self.task}: {self}, slept {human(self.slept)}>"


class CallLog:
    """For one run. Of the hosts that `notes` names, the network's observers are told too, so that ladders show it: when
    a thread falls asleep, and what each call came to. Of locks they are told nothing."""

    def __init__(self, notes: Iterable[str] = ()) -> None:
        self.notes: frozenset[str] = frozenset(notes)
        self.calls: list[Call] = []  # in the order in which they began
        self._open: dict[Task, Call] = {}
        self._peers: dict[int, str] = {}  # whose a descriptor is, also when the connection is gone

    def of(self, name: str = "", host: str = "", task: str = "", error: str = "") -> list[Call]:
        """Those that fit all that is given."""
        return [
            each
            for each in self.calls
            if name in ("", each.name)
            and host in ("", each.host)
            and task in ("", each.task)
            and error in ("", each.error)
        ]

    def text(self) -> str:
        """A line for each call: when, who, what, on which descriptor, and how long it slept."""
        width = max([len(f"{each.host} {each.task}") for each in self.calls], default=0)
        lines = []
        for each in self.calls:
            who = f"{each.host} {each.task}"
            where = "" if each.number < 0 else f"  fd {each.number % DESCRIPTORS_MAX}"
            slept = f"  slept {human(each.slept)}" if each.slept else ""
            lines.append(f"{human(each.began):>12}  {who:<{width}}  {each}{where}{slept}\n")
        return "".join(lines)

    # -- what a run does with it

    def watched(self, table: list[Patch]) -> list[Patch]:
        """`table` with what this log wants to hear of, for the time of a run."""
        found = [Patch(sys.modules[__name__], "heard_by", self, aliases=False)]
        for each in table:
            wanted = each.name in _FUNCTIONS
            found.append(each._replace(replacement=_logged(each.name, each.replacement)) if wanted else each)
        for owner, names in _METHODS:
            for name, shown in names.items():
                found.append(Patch(owner, name, _logged(shown, getattr(owner, name)), aliases=False))
        return found

    def fell_asleep(self, task: Task) -> None:
        """The kernel's `on_sleep`."""
        call = self._open.get(task)
        if call is None:
            return
        call.naps += 1
        if call.slept_at >= 0:
            return
        call.slept_at = task.kernel.now()
        if call.host in self.notes and call.name != "lock":
            _note(task, f"{call.name}({call.who}) sleeps")

    def hears(self, task: Task) -> bool:
        """What a call does by calling others is no call of the program."""
        return task not in self._open

    def begin(self, task: Task, name: str, args: tuple[Any, ...]) -> Call:
        number = _number(args[0]) if args and name in _WITH_NUMBER else -1
        call = Call(task.host.name, task.name, name, number, task.kernel.now())
        call.asked = _asked(name, args)
        if name in _WITH_PEER:
            call.who = self.peer(number)
        self.calls.append(call)
        self._open[task] = call
        return call

    def end(self, task: Task, call: Call) -> None:
        call.ended = task.kernel.now()
        del self._open[task]
        if call.name == "close":
            self._peers.pop(call.number, None)
        if call.name == "lock":
            if not call.naps:
                self.calls.remove(call)  # it was free
        elif call.host in self.notes and call.tells():
            _note(task, str(call))

    def peer(self, number: int) -> str:
        """The name of the host at the other end."""
        run = descriptors.active()
        found = run.find(number)
        address = None if found is None else found.description.peer_address()
        if isinstance(address, tuple):
            self._peers[number] = run.place_of(number).name_of(address[0])
        return self._peers.get(number, "")

    def ready(self, result: Any) -> list[tuple[str, int, int]]:
        """What select returned (three lists), or poll (one of pairs)."""
        pairs = result
        if isinstance(result, tuple):
            pairs = [(each, events) for files, events in zip(result, _SELECTED, strict=True) for each in files]
        return [(self._shown(_number(file)), _number(file), events) for file, events in pairs]

    def _shown(self, number: int) -> str:
        """For whoever reads: the host at the other end, or what else it is."""
        found = descriptors.active().find(number)
        if found is not None and getattr(found.description, "listener", None) is not None:
            return "a new connection"
        return self.peer(number) or f"fd {number % DESCRIPTORS_MAX}"


heard_by: CallLog | None = None
"""The log of the run that goes on."""


@cache
def _logged(name: str, function: Any) -> Callable[..., Any]:
    """`function`, heard by the log of the run. The same in all runs: for a new one all modules would be searched."""

    def logged(*args: Any, **options: Any) -> Any:
        log, task = heard_by, current.task()
        if log is None or task is None or not log.hears(task):
            return function(*args, **options)
        call = log.begin(task, name, args)
        try:
            result = function(*args, **options)
            call.amount = _amount(name, args, result)
            if name in _READY:
                call.ready = log.ready(result)
            elif name == "accept":
                call.who = log.peer(result[0])
            return result
        except BaseException as error:
            call.error = _error_name(error)
            raise
        finally:
            log.end(task, call)

    return logged


def _note(task: Task, text: str) -> None:
    """Threads that a program started are told apart."""
    kernel = task.kernel
    is_program = task is kernel.main or task in kernel.programs
    task.host.note(task.name, text if is_program else f"{task.name}: {text}")


def _number(file: Any) -> int:
    """The descriptor that a call is about."""
    try:
        return descriptors.number_of(file)
    except (TypeError, ValueError, OSError):
        return -1


def _asked(name: str, args: tuple[Any, ...]) -> int:
    if name == "poll":
        return len(args[0]._events)
    return sum([len(each) for each in args[:3] if hasattr(each, "__len__")]) if name == "select" else 0


def _amount(name: str, args: tuple[Any, ...], result: Any) -> int:
    if name not in _FILES and not name.startswith(("recv", "send")):
        return -1
    if name == "sendall":
        return len(memoryview(args[1]).cast("B"))
    moved = result[0] if isinstance(result, tuple) else result
    return moved if isinstance(moved, int) else len(moved)


def _error_name(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        return type(error).__name__
    return errnos.name(number)
