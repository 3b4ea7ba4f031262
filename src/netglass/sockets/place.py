"""Where a program can run: a host, its descriptors, and the world that makes its time pass."""

from __future__ import annotations

from netglass.build import mypyc_attr
from netglass.host.host import Host
from netglass.sockets.resolver import Resolver
from netglass.sockets.sockets import Sockets
from netglass.world import World


@mypyc_attr(allow_interpreted_subclasses=True)
class Place:
    """`lab` has one for each of its hosts, `drive` one for a machine in real time; `programs` knows only this."""

    __slots__ = ("core", "name", "resolver", "seed", "sockets", "world")

    def __init__(self, core: Host, sockets: Sockets, world: World, seed: int) -> None:
        self.name: str = core.name
        self.core: Host = core
        self.sockets: Sockets = sockets
        self.world: World = world
        self.seed: int = seed  # decides what programs draw there
        self.resolver: Resolver | None = None  # whom programs ask for names that `resolve` does not know

    def flush(self) -> None:
        """Carries out what calls on `sockets` and `core` brought about; packets go on their way."""
        raise NotImplementedError

    def resolve(self, name: str) -> tuple[str, ...]:
        """The addresses of a host by name, IPv4 first; an address is its own; () if nobody has the name."""
        raise NotImplementedError

    def name_of(self, address: str) -> str:
        """Whose address it is; "" if nobody's."""
        raise NotImplementedError

    def why_unknown(self, name: str) -> str:
        """What to tell whoever asked in vain for the addresses of `name`; "" if there is nothing to say."""
        return ""

    def tell_tls_secrets(self, lines: str) -> None:
        """For the trace: lines of a key log, see `Probe.tls_secrets`. Without a trace they are forgotten."""

    def note(self, subject: str, text: str) -> None:
        """A line in the trace."""
        raise NotImplementedError
