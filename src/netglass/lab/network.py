"""A network in virtual time: hosts, routers, cables; the same seed gives the same packets at the same nanoseconds.

    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms", faults=[drop(third_ack)])
    server.spawn(serve)
    client.spawn(ask)
    net.run()

One heap of (nanoseconds, insertion number) says what happens next (`agenda`). Packets go from a host into cables,
which know at once when they arrive; each host has at most one entry that counts for all its timers. After everything
that was done to a host, what it wants to send is handed to its cables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop
from typing import Final

from netglass.build import mypyc_attr
from netglass.errors import MisuseError
from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.lab.addressing import ASKED, automatic_addresses, automatic_mac, with_prefix
from netglass.lab.agenda import Target
from netglass.lab.host import LabHost
from netglass.lab.machine import Port
from netglass.lab.plug import Plug
from netglass.lab.scene import AddressBook, Scene
from netglass.lab.switch import ALL_VLANS, LabSwitch, SwitchPlug
from netglass.lab.topology import StaticRoutes, closes_loop, neighbors
from netglass.network.cable import QUEUE_PACKETS, Cable, Tally
from netglass.network.fault import Fault
from netglass.network.faults import Partition
from netglass.network.faults import loss as loss_of
from netglass.network.switch import AGEING, DEFAULT_VLAN, TABLE_LIMIT
from netglass.network.units import Share, queue_limit, rate_bps
from netglass.probe import Probe
from netglass.rng import Rng
from netglass.times import HOUR, NEVER, duration, human
from netglass.wire.ethernet import ETHERNET_HEADER
from netglass.world import World

LONGEST_RUN: Final = 24 * HOUR
"""What `run()` without a time may take: a network that is still busy then (keep-alive, a zero window) never comes to
rest."""

Named = LabHost | str
Pluggable = LabHost | LabSwitch | str


@mypyc_attr(allow_interpreted_subclasses=True)
class Network(World):
    """The lab's world. `seed` decides all that is random; `serialise=True` makes every hop travel as bytes: the
    results are the same."""

    __slots__ = (
        "_cables",
        "_hosts",
        "_interrupted",
        "_partitions",
        "_rng",
        "_routes",
        "_scene",
        "_stale_routes",
        "_switches",
        "_tally",
        "serialise",
    )

    def __init__(self, seed: int = 1, serialise: bool = False) -> None:
        self.serialise: bool = serialise
        self._rng: Rng = Rng(seed)
        self._scene: Scene = Scene()
        self._tally: Tally = Tally()
        self._hosts: dict[str, LabHost] = {}
        self._switches: dict[str, LabSwitch] = {}
        self._cables: list[Cable] = []
        self._routes: StaticRoutes = StaticRoutes()
        self._partitions: list[Fault] = []
        self._stale_routes: bool = False
        self._interrupted: bool = False

    def __repr__(self) -> str:
        return f"<network of {len(self._hosts)} hosts and {len(self._cables)} cables at {human(self.now())}>"

    # -- what there is

    def host(self, name: str, *addresses: str, config: HostConfig | None = None) -> LabHost:
        """A new host. Addresses ("192.0.2.1", "2001:db8::1/48") go to its first cable; without any, each cable gives
        it one of each version. "slaac", "dhcp" and "rarp" stand for what it finds out by itself, over Ethernet."""
        self._scene.directory.add_host(name)
        wanted = [with_prefix(address) for address in addresses if address not in ASKED]
        asks = frozenset(addresses) & ASKED
        probe = self._scene.observers if self._scene.observers.probes else None
        core = Host(name, config, self._rng.stream("host", name), probe)
        seed = self._rng.stream("programs", name).u32()
        made = LabHost(core, self._scene, self, seed, len(self._hosts) + 1, wanted, asks)
        core.watch_addresses(AddressBook(self._scene.directory))
        self._hosts[name] = made
        return made

    def router(self, name: str, *addresses: str, config: HostConfig | None = None) -> LabHost:
        """A host that forwards. It takes a copy of `config`, which may be that of hosts."""
        own = HostConfig()
        if config is not None:
            own.copy_from(config)
        own.forwarding = True
        return self.host(name, *addresses, config=own)

    def switch(
        self, name: str, ageing: int | str = AGEING, table_limit: int = TABLE_LIMIT, stp: bool = True
    ) -> LabSwitch:
        """An Ethernet switch: hosts that are plugged into it are neighbours. It knows a MAC for `ageing` after it was
        heard, and `table_limit` of them. `stp`: a cable that would close a loop of switches is blocked at both ends."""
        self._scene.directory.add_host(name)
        made = LabSwitch(name, self._scene.agenda, ageing, table_limit, stp)
        made.core.probe = self._tally.probe
        self._switches[name] = made
        return made

    def cable(
        self,
        a: Pluggable,
        b: Pluggable,
        delay: int | str = 0,
        rate: int | str | None = None,
        queue: int | str = QUEUE_PACKETS,
        mtu: int = 1500,
        jitter: int | str = 0,
        loss: Share = 0,
        reorder: bool = False,
        faults: Fault | Iterable[Fault] = (),
        offload: bool = False,
        ethernet: bool = False,
        vlan: int = DEFAULT_VLAN,
        trunk: Iterable[int] = (),
    ) -> Cable:
        """Connects two hosts, or a host and a switch, or two switches.

        `delay` is one way, `jitter` adds up to so much and keeps the order unless `reorder`. `rate` is "100 Mbit/s" or
        None for no limit; `queue` ("64 KiB", or packets) is what may wait before it. Losses and `faults` act in both
        directions; one fault needs no list. `offload` lets both ends send super-segments.
        A cable of a switch carries Ethernet frames, one between two hosts if `ethernet`: then MACs are asked for by
        ARP and neighbour discovery. A host's port at a switch belongs to `vlan`; with `trunk` it carries those VLANs
        too, tagged. Switches carry all VLANs between them.
        """
        first, second = self._placed(a), self._placed(b)
        if first is second:
            raise MisuseError(f"a cable has two ends; both are {first.name!r} (a host reaches itself without one)")
        ethernet = ethernet or isinstance(first, LabSwitch) or isinstance(second, LabSwitch)
        cable = Cable(
            self._cable_name(first, second),
            first.name,
            second.name,
            self._tally,
            self._rng,
            self._scene.directory.names,
            ethernet,
        )
        cable.set_delay(duration(delay), duration(jitter), reorder)
        packets, size = queue_limit(queue)
        cable.set_rate(rate_bps(rate), packets, size)
        cable.set_size(mtu, offload)
        cable.set_serialise(self.serialise)
        if loss:
            cable.add_fault(loss_of(loss))
        for fault in [*([faults] if isinstance(faults, Fault) else faults), *self._partitions]:
            cable.add_fault(fault)
        between = isinstance(first, LabSwitch) and isinstance(second, LabSwitch)
        tagged = ALL_VLANS if between else frozenset(trunk) or None
        blocked = (
            isinstance(first, LabSwitch)
            and isinstance(second, LabSwitch)
            and self._is_loop(first, second, cable.lanes[0].delay)
        )
        ends = (self._plug(first, cable, 0, vlan, tagged), self._plug(second, cable, 1, vlan, tagged))
        for end in ends:
            end.ends = ends
            if isinstance(end, SwitchPlug):
                end.port.blocked = blocked
        for place, end in zip((first, second), ends, strict=True):
            if isinstance(place, LabHost) and isinstance(end, Port):
                self._give_addresses(place, end)
        self._cables.append(cable)
        self._stale_routes = True
        return cable

    def _plug(
        self, place: LabHost | LabSwitch, cable: Cable, end: int, vlan: int, trunk: frozenset[int] | None
    ) -> Plug:
        if isinstance(place, LabSwitch):
            return place.plug(cable, end, vlan, trunk)
        lane = cable.lanes[end]
        if not cable.ethernet:
            return place.machine.plug(cable, end, lane.mtu, lane.offload)
        mac = automatic_mac(place.number, len(place.machine.ports))
        self._scene.directory.add_local(place.name, mac)
        return place.machine.plug(cable, end, lane.mtu - ETHERNET_HEADER, lane.offload, mac)

    def _is_loop(self, a: LabSwitch, b: LabSwitch, delay: int) -> bool:
        """True if a cable between these two has to be blocked."""
        if not closes_loop(a, b):
            return False
        if not (a.stp and b.stp) and delay == 0:
            raise MisuseError(f"a loop over {a.name!r} and {b.name!r} needs a delay, or time would never pass in it")
        return a.stp and b.stp

    def _placed(self, place: Pluggable) -> LabHost | LabSwitch:
        if isinstance(place, LabSwitch):
            if self._switches.get(place.name) is not place:
                raise MisuseError(f"{place.name!r} belongs to another network")
            return place
        if isinstance(place, str) and place in self._switches:
            return self._switches[place]
        return self._named(place)

    def _named(self, host: Named) -> LabHost:
        if isinstance(host, LabHost):
            if self._hosts.get(host.name) is not host:
                raise MisuseError(f"{host.name!r} belongs to another network")
            return host
        if host not in self._hosts:
            raise MisuseError(f"no host is called {host!r}; there are {', '.join(self._hosts) or 'none'}")
        return self._hosts[host]

    def _cable_name(self, a: LabHost | LabSwitch, b: LabHost | LabSwitch) -> str:
        name = f"{a.name}-{b.name}"
        twins = [cable for cable in self._cables if cable.name.partition("#")[0] == name]
        return f"{name}#{len(twins) + 1}" if twins else name

    def _give_addresses(self, host: LabHost, port: Port) -> None:
        wanted = host.wanted if len(host.machine.ports) == 1 else []
        if not wanted:
            wanted = self._automatic(host, port)
        for address, prefix in wanted:
            self._scene.directory.add(host.name, address)
            host.core.add_address(port.interface, address, prefix)
        if port.interface.ethernet is not None:
            host.begin(port.interface.ethernet)

    def _automatic(self, host: LabHost, port: Port) -> list[tuple[bytes, int]]:
        """One address of each version that the host does not find by itself, in the network of its cable: that of its
        neighbours, if they have one."""
        near = neighbors(port) if isinstance(port.peer, SwitchPlug) else []
        numbers = [each.network for each in near if each.network >= 0]
        port.network = numbers[0] if numbers else len(self._cables)
        peer = port.peer
        far = peer.machine.host.name if isinstance(peer, Port) else ""
        number = host.number
        if far and max(number, self._hosts[far].number) > 254:
            number = port.end + 1
        elif number > 254:
            number = len(near) + 1
        found = automatic_addresses(port.network, number)
        if host.asks & {"dhcp", "rarp"}:
            found = [each for each in found if len(each[0]) == 16]
        if "slaac" in host.asks:
            found = [each for each in found if len(each[0]) == 4]
        return found

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        return tuple(self._hosts.values())

    @property
    def switches(self) -> tuple[LabSwitch, ...]:
        return tuple(self._switches.values())

    @property
    def cables(self) -> tuple[Cable, ...]:
        return tuple(self._cables)

    def resolve(self, name: str) -> tuple[str, ...]:
        """A host's addresses as text, IPv4 first; () if nobody has the name."""
        return self._scene.directory.resolve(name)

    def observe(self, probe: Probe) -> None:
        """`probe` is told everything from now on, of every host and cable."""
        observers = self._scene.observers
        observers.probes.append(probe)
        self._tally.probe = observers
        for host in self._hosts.values():
            host.core.observe(observers)
        for switch in self._switches.values():
            switch.core.probe = observers

    # -- trouble

    def partition(self, a: Named | Iterable[Named], b: Named | Iterable[Named]) -> None:
        """From now on no packet goes on its way from a host of group `a` to one of group `b` or back. What is under
        way still arrives."""
        first, second = self._names(a), self._names(b)
        if first & second:
            both = ", ".join(sorted(first & second))
            raise MisuseError(f"a partition parts two groups of hosts; {both} would be on both sides")
        fault = Partition(first, second)
        self._partitions.append(fault)
        for cable in self._cables:
            cable.add_fault(fault)

    def heal(self) -> None:
        """Ends all partitions."""
        for fault in self._partitions:
            for cable in self._cables:
                cable.remove_fault(fault)
        self._partitions.clear()

    def _names(self, group: Named | Iterable[Named]) -> frozenset[str]:
        members = [group] if isinstance(group, (str, LabHost)) else list(group)
        return frozenset([self._named(member).name for member in members])

    # -- what shall happen

    def at(self, time: int | str, call: Callable[[], object]) -> None:
        """Calls `call()` at this virtual time."""
        when = duration(time)
        now = self._scene.agenda.now
        if when < now:
            raise MisuseError(f"it is {human(now)} already; {human(when)} is past")
        self._scene.agenda.enter(when, Call(call, self), None)

    def after(self, delay: int | str, call: Callable[[], object]) -> None:
        """Calls `call()` so much later than now."""
        self.at(self._scene.agenda.now + duration(delay), call)

    # -- time

    def now(self) -> int:
        return self._scene.agenda.now

    def deadline(self) -> int:
        """When the next thing happens; NEVER if nothing is left to happen. For whoever lets time pass by a clock."""
        agenda = self._scene.agenda
        if agenda.ready:
            return agenda.now
        return agenda.heap[0][0] if agenda.heap else NEVER

    def run(self, until: int | str | None = None, expect_errors: bool = False) -> None:
        """Lets everything happen up to the virtual time `until`, that moment included; without one, until nothing is
        left to happen.

        Raises what a program raised, unless `expect_errors` or somebody waits for that program. Programs that still
        wait afterwards:
        `waiting()`.
        """
        agenda = self._scene.agenda
        limit = agenda.now + LONGEST_RUN if until is None else duration(until)
        if limit < agenda.now:
            raise MisuseError(f"it is {human(agenda.now)} already: until={until!r} is past (after a time: now() + ...)")
        self.catch_up()
        self._run_to(limit, expect_errors)
        if until is not None:
            agenda.now = max(agenda.now, limit)
        elif agenda.heap:
            raise MisuseError(f"still busy after {human(LONGEST_RUN)} of virtual time: say how long, run(until=...)")

    def _run_to(self, limit: int, expect_errors: bool) -> None:
        agenda = self._scene.agenda
        heap = agenda.heap
        ready = agenda.ready
        while True:
            while ready:
                ready.popleft().happen(None, agenda.now)
                if self._scene.failed:
                    self._report(expect_errors)
            if not heap or heap[0][0] > limit:
                return
            when, _, target, item = heappop(heap)
            agenda.now = when
            target.happen(item, when)

    def run_until(self, predicate: Callable[[], bool], limit: int | str = HOUR, expect_errors: bool = False) -> bool:
        """Lets things happen until `predicate()` is true, asked after each. False if nothing is left to happen, or
        `limit` has passed since now."""
        last = self._scene.agenda.now + duration(limit)
        self.catch_up()
        while not predicate():
            if not self._step(last, expect_errors):
                return False
        return True

    def run_next(self) -> bool:
        self.catch_up()
        return self._step(NEVER, False)

    def breathe(self) -> None:
        self.catch_up()

    def wait(self, deadline: int) -> None:
        self._interrupted = False
        self.catch_up()
        while not self._interrupted:
            if not self._step(deadline, False):
                if deadline != NEVER:
                    self._scene.agenda.now = max(self._scene.agenda.now, deadline)
                return

    def interrupt(self) -> None:
        self._interrupted = True

    def _step(self, limit: int, expect_errors: bool) -> bool:
        """One thing happens, not later than `limit`. False if there is none."""
        agenda = self._scene.agenda
        if agenda.ready:
            agenda.ready.popleft().happen(None, agenda.now)
            if self._scene.failed:
                self._report(expect_errors)
            return True
        if not agenda.heap or agenda.heap[0][0] > limit:
            return False
        when, _, target, item = heappop(agenda.heap)
        agenda.now = when
        target.happen(item, when)
        return True

    def catch_up(self) -> None:
        """Brings routes up to date, and carries out what was called on hosts and sockets from outside since the last
        event."""
        if self._stale_routes:
            self._stale_routes = False
            self._routes.renew([host.machine for host in self._hosts.values()])
        now = self._scene.agenda.now
        for host in self._hosts.values():
            host.machine.flush(now)

    # -- programs

    def waiting(self) -> list[str]:
        """A line for each program that has not ended: "client on host client: receive from server port 80"."""
        tasks = [task for task in self._scene.tasks if not task.done]
        return [f"{task.name} on host {task.where()}: {task.waiting()}" for task in tasks]

    def _report(self, expect_errors: bool) -> None:
        failed = self._scene.failed.copy()
        self._scene.failed.clear()
        if not expect_errors and failed[0].error is not None:
            raise failed[0].error


class Call(Target):
    """A function of the user's, to be called once."""

    __slots__ = ("_call", "_network")

    def __init__(self, call: Callable[[], object], network: Network) -> None:
        self._call: Callable[[], object] = call
        self._network: Network = network

    def happen(self, item: object, now: int) -> None:
        self._call()
        self._network.catch_up()
