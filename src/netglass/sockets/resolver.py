"""Which DNS servers the programs of a host ask, and how: what /etc/resolv.conf says (man 5 resolv.conf)."""

from __future__ import annotations

from collections.abc import Iterable

from netglass.errors import MisuseError
from netglass.times import duration
from netglass.wire.address import parse, text


class Resolver:
    """`host.resolver = Resolver("10.0.0.53")`: whom programs on that host ask for names that are no host's of the lab.

    Names with fewer than `ndots` dots are looked for below the domains of `search` first. A server has `timeout` to
    answer; all of them together are asked `attempts` times.
    """

    __slots__ = ("attempts", "ndots", "search", "servers", "timeout")

    def __init__(
        self,
        *servers: str,
        search: str | Iterable[str] = (),
        ndots: int = 1,
        timeout: int | str = "5 s",
        attempts: int = 2,
    ) -> None:
        if not servers:
            raise MisuseError('a resolver asks at least one server: Resolver("10.0.0.53")')
        if ndots < 0 or attempts < 1:
            raise MisuseError(f"ndots counts from 0, attempts from 1; these are {ndots} and {attempts}")
        self.servers: tuple[str, ...] = tuple([text(parse(each)) for each in servers])
        domains = search.split() if isinstance(search, str) else search
        self.search: tuple[str, ...] = tuple([each.strip(".") for each in domains])
        self.ndots: int = ndots
        self.timeout: int = duration(timeout)
        self.attempts: int = attempts

    def __repr__(self) -> str:
        return f"<resolver {' '.join(self.servers)}>"
