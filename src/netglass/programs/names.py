"""Names: `getaddrinfo` and its kin over the hosts of the world, then over DNS if the host has a resolver. "localhost"
is this host, on every host.

Addresses come in the order in which the world gives them, IPv4 first. Services are looked up in the real machine's
list (getservbyname), which is a file.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any, Final

from netglass.errors import MisuseError
from netglass.programs import dns, lookup
from netglass.programs.descriptors import active
from netglass.programs.lookup import Found
from netglass.wire.address import is_loopback, parse, text

LOCALHOST: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})

_KINDS: Final = (
    (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    (socket.SOCK_RAW, 0),
)
_TEXTS: Final[dict[int, str]] = {
    socket.EAI_NONAME: "Name or service not known",
    socket.EAI_ADDRFAMILY: "Address family for hostname not supported",
    socket.EAI_FAMILY: "ai_family not supported",
    socket.EAI_SOCKTYPE: "ai_socktype not supported",
    socket.EAI_SERVICE: "Servname not supported for ai_socktype",
    socket.EAI_BADFLAGS: "Bad value for ai_flags",
    socket.EAI_NODATA: "No address associated with hostname",
    socket.EAI_AGAIN: "Temporary failure in name resolution",
}
_CODES: Final = {lookup.TRY_AGAIN: socket.EAI_AGAIN, lookup.NO_DATA: socket.EAI_NODATA}
_HOST_TEXTS: Final = {
    lookup.HOST_NOT_FOUND: "Unknown host",
    lookup.TRY_AGAIN: "Host name lookup failure",
    lookup.NO_RECOVERY: "Unknown server error",
    lookup.NO_DATA: "No address associated with name",
}
_BOTH: Final = (dns.A, dns.AAAA)

Info = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


def failure(code: int) -> socket.gaierror:
    return socket.gaierror(code, _TEXTS.get(code, "Unknown error"))


def numeric(host: str) -> str:
    """The usual text of an address; "" for what is none."""
    address, percent, _ = host.partition("%")
    try:
        if percent and ":" not in address:
            return ""
        return text(parse(address))
    except MisuseError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host)) if host[:1].isdigit() else ""  # 127.1, 0x7f000001
    except OSError:
        return ""


def text_of(host: object) -> str:
    """A host's name as programs may pass it: text, or bytes; names beyond ASCII as IDNA."""
    if isinstance(host, (bytes, bytearray)):
        return bytes(host).decode("ascii")
    if not isinstance(host, str):
        raise TypeError(f"str, bytes or bytearray expected, not {type(host).__name__}")
    return host.encode("idna").decode("ascii")


def find(name: str, kinds: tuple[int, ...] = _BOTH) -> Found:
    """What a name, or an address as text, stands for. `kinds` of address are asked for in DNS; others may come too."""
    known = numeric(name)
    if known:
        return Found(0, name, (known,))
    plain = name.lower().rstrip(".")
    if plain in LOCALHOST or plain.endswith(".localhost"):
        return Found(0, name, ("127.0.0.1", "::1"))
    place = active().kernel.host()
    addresses = place.resolve(name) or place.resolve(plain)
    if addresses:
        return Found(0, name, addresses)
    return lookup.look_up(place.resolver, name, kinds) if place.resolver else Found(lookup.HOST_NOT_FOUND)


def found_of(name: str, family: int = 0) -> Found:
    """As `find`, of addresses of `family` (0: any); gaierror if there are none."""
    version6 = family == socket.AF_INET6
    found = find(name, _BOTH if not family else (dns.AAAA,) if version6 else (dns.A,))
    if found.code:
        error = failure(_CODES.get(found.code, socket.EAI_NONAME))
        hint = active().kernel.host().why_unknown(name)
        if hint:
            error.add_note(hint)
        raise error
    fitting = tuple([each for each in found.data if not family or (":" in each) == version6])
    if not fitting:
        raise failure(socket.EAI_ADDRFAMILY)
    return found._replace(data=fitting)


def resolve(host: str, family: int) -> str:
    """The first address of `family` (AF_INET, AF_INET6), or gaierror: what bind and connect do with a name."""
    return found_of(host, family).data[0]


def getaddrinfo(
    host: str | bytes | None,
    port: str | bytes | int | None,
    family: int = 0,
    type: int = 0,  # noqa: A002
    proto: int = 0,
    flags: int = 0,
) -> list[Info]:
    """socket.getaddrinfo."""
    if family not in (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6):
        raise failure(socket.EAI_FAMILY)
    if host is None and port is None:
        raise failure(socket.EAI_NONAME)
    kinds = [
        (kind, protocol or proto)
        for kind, protocol in _KINDS
        if type in (0, kind) and (not proto or not protocol or proto == protocol)
    ]
    if not kinds:
        raise failure(socket.EAI_SOCKTYPE)
    ports = _ports(port, kinds, flags)
    found = _candidates(None if host is None else text_of(host), family, flags)
    infos = [_info(address, *each) for address in found.data for each in ports]
    if flags & socket.AI_CANONNAME:
        infos[0] = (*infos[0][:3], found.name, infos[0][4])
    return infos


def _candidates(name: str | None, family: int, flags: int) -> Found:
    if name is None or (name == "" and flags & socket.AI_PASSIVE):
        both = ("0.0.0.0", "::") if flags & socket.AI_PASSIVE else ("127.0.0.1", "::1")
        return Found(
            0, "", tuple([each for each in both if not family or (":" in each) == (family == socket.AF_INET6)])
        )
    if not name or (flags & socket.AI_NUMERICHOST and not numeric(name)):
        raise failure(socket.EAI_NONAME)
    if family == 0 and flags & socket.AI_ADDRCONFIG and not _has_version6():
        family = socket.AF_INET
    if family != socket.AF_INET6 or not flags & socket.AI_V4MAPPED:
        return found_of(name, family)
    found = found_of(name) if flags & socket.AI_ALL else _version6_or_any(name)
    return found._replace(data=tuple([each if ":" in each else f"::ffff:{each}" for each in found.data]))


def _version6_or_any(name: str) -> Found:
    try:
        return found_of(name, socket.AF_INET6)
    except socket.gaierror:
        return found_of(name)


def _has_version6() -> bool:
    """An address that others could reach."""
    interfaces = active().kernel.host().core.interfaces.values()
    return any(len(own) == 16 and not is_loopback(own) for each in interfaces for own, _ in each.addresses)


def _ports(port: str | bytes | int | None, kinds: Sequence[tuple[int, int]], flags: int) -> list[tuple[int, int, int]]:
    """(type, protocol, port) of those kinds that have the port: a service may have it of one protocol only."""
    if port is None:
        port = 0
    if not isinstance(port, (int, str, bytes)):
        raise OSError("Int or String expected")
    name = port.decode("ascii") if isinstance(port, bytes) else str(port)
    if name.isdigit():
        return [(kind, protocol, int(name) & 0xFFFF) for kind, protocol in kinds]
    if flags & socket.AI_NUMERICSERV or not name:
        raise failure(socket.EAI_NONAME)
    ports = [(kind, protocol, _service_port(name, kind)) for kind, protocol in kinds]
    if not any(number for _, _, number in ports):
        raise failure(socket.EAI_SERVICE)
    return [each for each in ports if each[2]]


def _service_port(name: str, kind: int) -> int:
    """0 if there is none."""
    if kind == socket.SOCK_RAW:
        return 0
    try:
        return socket.getservbyname(name, "udp" if kind == socket.SOCK_DGRAM else "tcp")
    except OSError:
        return 0


def _info(address: str, kind: int, protocol: int, port: int) -> Info:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where: tuple[Any, ...] = (address, port, 0, 0) if family is socket.AF_INET6 else (address, port)
    return family, socket.SocketKind(kind), protocol, "", where


def gethostbyname(name: str) -> str:
    host = text_of(name)
    if host == "":
        return "0.0.0.0"
    return "255.255.255.255" if host == "<broadcast>" else resolve(host, socket.AF_INET)


def gethostbyname_ex(name: str) -> tuple[str, list[str], list[str]]:
    found = found_of(text_of(name), socket.AF_INET)
    return found.name, list(found.aliases), list(found.data)


def gethostbyaddr(name: str) -> tuple[str, list[str], list[str]]:
    address = found_of(text_of(name) or "0.0.0.0").data[0]
    owner = owner_of(address)
    if owner.code:
        raise socket.herror(owner.code, _HOST_TEXTS[owner.code])
    return owner.data[0], list(owner.data[1:]), [address]


def owner_of(address: str) -> Found:
    """Whose address it is: the name, or names, in `data`."""
    if address == "::1" or address.startswith("127."):
        return Found(0, "", ("localhost",))
    place = active().kernel.host()
    name = place.name_of(address)
    if name:
        return Found(0, "", (name,))
    if place.resolver is None:
        return Found(lookup.HOST_NOT_FOUND)
    return lookup.ask(place.resolver, dns.reverse_name(parse(address)), (dns.PTR,))


def gethostname() -> str:
    return active().kernel.host().name


def getfqdn(name: str = "") -> str:
    """A host of the lab has one name."""
    name = name.strip()
    if not name or name in ("0.0.0.0", "::"):
        return gethostname()
    try:
        owner, aliases, _ = gethostbyaddr(name)
    except OSError:
        return name
    return next((each for each in [owner, *aliases] if "." in each), owner)


def sethostname(name: str) -> None:
    raise PermissionError(1, "Operation not permitted: a host of the lab has the name that the lab gave it")


def getnameinfo(address: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """socket.getnameinfo."""
    if not isinstance(address, tuple):
        raise TypeError("getnameinfo() argument 1 must be a tuple")
    if not 2 <= len(address) <= 4 or not isinstance(address[0], str):
        raise TypeError("getnameinfo(): illegal sockaddr argument")
    host = numeric(address[0])
    if not host:
        raise failure(socket.EAI_NONAME)
    port = int(address[1])
    if not 0 <= port <= 65535:
        raise OverflowError("getnameinfo(): port must be 0-65535.")
    if len(address) > 2 and not 0 <= address[2] <= 0xFFFFF:
        raise OverflowError("getnameinfo(): flowinfo must be 0-1048575.")
    if len(address) > 2 and ":" not in host:
        raise OSError("IPv4 sockaddr must be 2 tuple")
    name = host if flags & socket.NI_NUMERICHOST else _name_for(host, flags)
    return name, str(port) if flags & socket.NI_NUMERICSERV else _service(port, flags)


def _name_for(host: str, flags: int) -> str:
    owner = owner_of(host)
    if not owner.code:
        return owner.data[0]
    if owner.code == lookup.TRY_AGAIN:
        raise failure(socket.EAI_AGAIN)
    if flags & socket.NI_NAMEREQD:
        raise failure(socket.EAI_NONAME)
    return host


def _service(port: int, flags: int) -> str:
    try:
        return socket.getservbyport(port, "udp" if flags & socket.NI_DGRAM else "tcp")
    except OSError:
        return str(port)


# -- interfaces


def if_nameindex() -> list[tuple[int, str]]:
    interfaces = active().kernel.host().core.interfaces.values()
    return sorted((interface.index, interface.name) for interface in interfaces)


def if_nametoindex(name: str) -> int:
    wanted = os.fsdecode(name)
    for index, known in if_nameindex():
        if known == wanted:
            return index
    raise OSError("no interface with this name")


def if_indextoname(index: int) -> str:
    if not isinstance(index, int):
        raise TypeError("an integer is required")
    if index < 0:
        raise OverflowError("can't convert negative value to unsigned int")
    if index >= 1 << 64:
        raise OverflowError("Python int too large to convert to C unsigned long")
    for known, name in if_nameindex():
        if known == index:
            return name
    raise OSError(6, "No such device or address")
