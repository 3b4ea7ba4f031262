"""The world in real time: one loop that reads bursts from links, gives the hosts their time, and writes bursts.

    with Drive() as drive:
        host = drive.host("netglass")
        drive.attach(host, Tun("ng0"), "10.83.0.2/24")
        drive.run()

One thread drives, and every call but `interrupt` and `stop` is made in it. A turn: wait until a link is readable, a
timer is due or somebody interrupts; read a burst from each link and hand it to its host; expired timers; wake who
waits, so that they read and write now; write what all of this made. So a burst is answered with one acknowledgement,
which tells the window as it is after the application has read, and goes with the application's answer if there is one.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from select import EPOLLET, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, epoll
from types import TracebackType
from typing import Final

from netglass.build import mypyc_attr
from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.host.interface import Interface
from netglass.link.link import Link, Outgoing
from netglass.probe import Probe
from netglass.rng import Rng
from netglass.sockets.place import Place
from netglass.sockets.sockets import Sockets
from netglass.times import MILLISECOND, NEVER
from netglass.wire.address import UNSPECIFIED_4, UNSPECIFIED_6, parse, with_prefix
from netglass.world import Waker, World

BURST: Final = 64
"""Frames that are read from one link, or written to it, before the others have their turn."""

QUEUE: Final = 1000
"""Packets that wait for a device that is full; Linux's txqueuelen."""

LONGEST_SLEEP: Final = 3600  # seconds; epoll_wait(2) counts milliseconds in an int


class Port:
    """A link under an interface of a host, and the packets that wait until the device takes them."""

    __slots__ = ("blocked", "core", "interface", "link", "waiting")

    def __init__(self, core: Host, interface: Interface, link: Link) -> None:
        self.core: Host = core
        self.interface: Interface = interface
        self.link: Link = link
        self.waiting: list[Outgoing] = []
        self.blocked: bool = False  # the device is full; epoll will tell when it is not


class DriveHost(Place):
    """One machine in real time: `core` is the protocol machine, `sockets` its BSD calls."""

    __slots__ = ("_drive", "has_ethernet", "names", "ports")

    def __init__(self, core: Host, drive: Drive, seed: int) -> None:
        super().__init__(core, Sockets(core), drive, seed)
        self._drive: Drive = drive
        self.ports: dict[int, Port] = {}  # by the index of the interface
        self.has_ethernet: bool = False
        self.names: dict[str, tuple[str, ...]] = {}  # its hosts file: name -> addresses, IPv4 first

    def flush(self) -> None:
        self._drive.flush()

    def resolve(self, name: str) -> tuple[str, ...]:
        return self.names.get(name, ())

    def name_of(self, address: str) -> str:
        for name, addresses in self.names.items():
            if address in addresses:
                return name
        return ""

    def tell_tls_secrets(self, lines: str) -> None:
        probe = self.core.probe
        if probe is not None:
            probe.tls_secrets(self.name, lines, self._drive.now())

    def note(self, subject: str, text: str) -> None:
        probe = self.core.probe
        if probe is not None:
            probe.note(self.name, subject, text, self._drive.now())


@mypyc_attr(allow_interpreted_subclasses=True)
class Drive(World):
    """Real time. `seed` decides what is random in the hosts; None takes it from the operating system, as it must be
    where strangers are at the other end."""

    def __init__(self, seed: int | None = None) -> None:
        self._rng: Rng = Rng(int.from_bytes(os.urandom(8), "big") if seed is None else seed)
        self._hosts: list[DriveHost] = []
        self._ports: dict[int, Port] = {}  # by descriptor
        self._watched: dict[int, Waker] = {}  # files of the operating system
        self._epoll: epoll = epoll()
        self._bell: int = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # ends the waiting of the driving thread
        self._epoll.register(self._bell, EPOLLIN)
        self._asleep: bool = False
        self._interrupted: bool = False
        self._stopped: bool = False
        self._expected: int = 1  # frames in a burst, as it was last time

    # -- what there is

    def host(self, name: str, config: HostConfig | None = None, probe: Probe | None = None) -> DriveHost:
        """A new host, without a link."""
        core = Host(name, config, self._rng.stream("host", name), probe)
        made = DriveHost(core, self, self._rng.stream("programs", name).u32())
        self._hosts.append(made)
        return made

    def attach(self, host: DriveHost, link: Link, *addresses: str, gateway: str = "") -> Interface:
        """Puts `link` under a new interface of `host`, which has its name. `addresses`: "10.83.0.2/24", "fd00::2/64";
        without a prefix it is the whole address. What no other route takes goes to `gateway`; on a link without
        hardware addresses it goes out in any case, and whoever is at the other end routes it on."""
        core = host.core
        next_hop = parse(gateway) if gateway else b""
        own = [with_prefix(each) for each in addresses]
        if link.hardware_address:
            interface = core.add_ethernet(link.name, link.hardware_address, link.mtu, link.gso_size > 0)
            host.has_ethernet = True
        else:
            interface = core.add_interface(link.name, link.mtu, link.gso_size > 0)
        for address, prefix in own:
            core.add_address(interface, address, prefix)
            anywhere = UNSPECIFIED_4 if len(address) == 4 else UNSPECIFIED_6
            if core.routes.find(anywhere) is None and not link.hardware_address and not next_hop:
                core.add_route(anywhere, 0, interface)
        port = Port(core, interface, link)
        host.ports[interface.index] = port
        if next_hop:
            core.add_route(UNSPECIFIED_4 if len(next_hop) == 4 else UNSPECIFIED_6, 0, interface, next_hop)
        self._ports[link.fileno()] = port
        self._epoll.register(link.fileno(), EPOLLIN)
        return interface

    def fileno(self) -> int:
        """A descriptor that is readable when `turn` has something to do, timers aside: for another event loop."""
        return self._epoll.fileno()

    # -- time

    def now(self) -> int:
        return time.monotonic_ns()

    def deadline(self) -> int:
        """When `turn` is to be called though nothing arrives; NEVER if no timer runs."""
        first = NEVER
        for host in self._hosts:
            due = host.core.deadline
            if due < first:
                first = due
        return first

    def run(self) -> None:
        """Until `stop`."""
        self._stopped = False
        self.flush()
        while not self._stopped:
            self.turn(NEVER)

    def stop(self) -> None:
        """`run` ends. From any thread."""
        self._stopped = True
        self.interrupt()

    def run_next(self) -> bool:
        """One turn. False if nothing can ever happen: no link, no file that is watched and no timer."""
        if not self._ports and not self._watched and self.deadline() == NEVER:
            return False
        self.turn(NEVER)
        return True

    def wait(self, deadline: int) -> None:
        """Turns until `deadline`, or until somebody interrupts; at least one, unless that was before."""
        self.flush()
        if time.monotonic_ns() >= deadline:
            self.turn(0)  # who never waits long must not starve the links
        while not self._interrupted and time.monotonic_ns() < deadline:
            self.turn(deadline)
        self._interrupted = False

    def interrupt(self) -> None:
        """`wait` returns, now or when it is called next. From any thread."""
        self._interrupted = True
        # Whoever drives sets `_asleep` first and then looks at `_interrupted`: one of the two sees the other.
        if self._asleep:
            os.eventfd_write(self._bell, 1)

    def in_real_time(self) -> bool:
        return True

    def breathe(self) -> None:
        self.turn(0)

    def watch(self, descriptor: int, waker: Waker) -> bool:
        """Edge-triggered: a wake-up for each time that something changes, and one now for what is so already."""
        try:
            self._epoll.register(descriptor, EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET)
        except PermissionError:
            return False
        self._watched[descriptor] = waker
        return True

    def unwatch(self, descriptor: int) -> None:
        if self._watched.pop(descriptor, None) is not None:
            with suppress(OSError):
                self._epoll.unregister(descriptor)

    # -- one turn

    def turn(self, deadline: int) -> None:
        """Waits for something to do, at most until `deadline` (0: not at all), and does it."""
        self._asleep = True
        try:
            events = self._epoll.poll(0 if self._interrupted or self._stopped else self._patience(deadline))
        finally:
            self._asleep = False  # after Ctrl-C too: nobody may ring a bell that is closed
        now = time.monotonic_ns()
        if events:
            self._read_burst(events, now)
        for host in self._hosts:
            core = host.core
            if core.deadline <= now:
                core.handle_timeout(now)
            core.wake()
            self._send(host, now)

    def flush(self) -> None:
        """Sends what was called on hosts and sockets since the last turn."""
        now = time.monotonic_ns()
        for host in self._hosts:
            self._send(host, now)

    def _ring(self, descriptor: int, bits: int) -> None:
        if descriptor == self._bell:
            os.eventfd_read(self._bell)
            return
        waker = self._watched.get(descriptor)
        if waker is not None:
            waker.wake(bits)

    def _patience(self, deadline: int) -> float:
        """Seconds to sleep, whole milliseconds upwards: a timer must not find that it woke too early."""
        due = self.deadline()
        if deadline < due:
            due = deadline
        if due == NEVER:
            return -1
        left = due - time.monotonic_ns()
        return 0 if left <= 0 else min(-(-left // MILLISECOND) / 1000, LONGEST_SLEEP)

    def _read_burst(self, events: list[tuple[int, int]], now: int) -> None:
        """As many frames as came last time, then what has come meanwhile. To ask a device for more than it has costs
        as much as a frame; to ask epoll costs little."""
        ask = self._expected
        read = before = 0
        while events:
            for descriptor, bits in events:
                port = self._ports.get(descriptor)
                if port is None:
                    self._ring(descriptor, bits)
                    continue
                if bits & EPOLLOUT:
                    self._unblock(port)
                if bits & ~EPOLLOUT:
                    read += self._read(port, ask, now)
            if read >= BURST or read == before:
                break
            before = read
            events = self._epoll.poll(0)
            ask = min(2 * ask, BURST)
        self._expected = min(max(read, 1), BURST)

    def _read(self, port: Port, most: int, now: int) -> int:
        core = port.core
        interface = port.interface
        frames = port.link.read(most)
        for frame, verify in frames:
            core.receive_frame(frame, interface, now, verify)
        return len(frames)

    def _send(self, host: DriveHost, now: int) -> None:
        core = host.core
        out = core.poll_packet(now)
        if out is not None:
            while out is not None:
                self._enqueue(host.ports[out[0].index], out[1])
                out = core.poll_packet(now)
        elif not host.has_ethernet:
            return
        if host.has_ethernet:
            self._take_frames(host, now)
        for port in host.ports.values():
            if port.waiting and not port.blocked:
                self._write(port)

    def _take_frames(self, host: DriveHost, now: int) -> None:
        core = host.core
        out = core.poll_frame(now)
        while out is not None:
            self._enqueue(host.ports[out[0].index], out[1])
            out = core.poll_frame(now)

    def _enqueue(self, port: Port, packet: Outgoing) -> None:
        waiting = port.waiting
        if port.blocked and len(waiting) >= QUEUE:
            port.core.counters.add("link-queue-full")
            return
        waiting.append(packet)
        if len(waiting) >= BURST and not port.blocked:
            self._write(port)

    def _write(self, port: Port) -> None:
        waiting = port.waiting
        taken = port.link.write(waiting)
        if taken == len(waiting):
            waiting.clear()
            return
        del waiting[:taken]
        port.blocked = True
        self._epoll.modify(port.link.fileno(), EPOLLIN | EPOLLOUT)

    def _unblock(self, port: Port) -> None:
        port.blocked = False
        self._epoll.modify(port.link.fileno(), EPOLLIN)
        if port.waiting:
            self._write(port)

    # -- the end

    def close(self) -> None:
        """Closes the links. What the hosts had to say is not said any more."""
        for host in self._hosts:
            for port in host.ports.values():
                port.link.close()
        self._ports.clear()
        self._hosts.clear()
        if not self._epoll.closed:
            self._epoll.close()
            os.close(self._bell)

    def __enter__(self) -> Drive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
