"""Which host has which addresses."""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError
from netglass.network.fault import Names
from netglass.wire.address import parse, text

MOST_NAMES: Final = 20
"""So many are listed in an error."""


class Directory:
    """Names to addresses and back; the lab's hosts file. `names` is shared with the faults of all cables."""

    __slots__ = ("_addresses", "names")

    def __init__(self) -> None:
        self.names: Names = {}
        self._addresses: dict[str, list[str]] = {}

    def add_host(self, name: str) -> None:
        if not name or name.split() != [name]:
            raise MisuseError(f"a name is a word, such as 'client', without spaces; this is {name!r}")
        if name in self._addresses:
            raise MisuseError(f"there is a host {name!r} already")
        self._addresses[name] = []

    def add(self, name: str, address: bytes) -> None:
        owner = self.names.get(address)
        if owner is not None:
            raise MisuseError(f"{text(address)} belongs to {owner!r} already; {name!r} needs another address")
        self.names[address] = name
        self._addresses[name].append(text(address))

    def add_local(self, name: str, address: bytes) -> None:
        """An address that nobody asks for by name: a MAC, a link-local one."""
        self.names[address] = name

    def remove(self, name: str, address: bytes) -> None:
        """`name` has it no more."""
        if self.names.get(address) == name:
            del self.names[address]
            self._addresses[name] = [each for each in self._addresses[name] if each != text(address)]

    def resolve(self, name: str) -> tuple[str, ...]:
        """The addresses of a host, IPv4 first, else in the order in which it got them; an address is its own; () if
        nobody has the name."""
        known = self._addresses.get(name)
        if known is not None:
            return tuple([each for each in known if ":" not in each] + [each for each in known if ":" in each])
        try:
            return (text(parse(name)),)
        except MisuseError:
            return ()

    def find(self, name: str) -> tuple[str, ...]:
        """As `resolve`, but MisuseError says why there is no address."""
        found = self.resolve(name)
        if found:
            return found
        raise MisuseError(self.why_unknown(name))

    def why_unknown(self, name: str) -> str:
        """Why there is no address of this name."""
        if name in self._addresses:
            return f"{name!r} has no address yet: no cable leads to it"
        names = list(self._addresses)
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        return f"no host is called {name!r}; there are {', '.join(names[:MOST_NAMES])}{more}"
