"""Names: `getaddrinfo` and its kin over the hosts of the world. "localhost" is this host, on every host.

Addresses come in the order in which the world gives them, IPv4 first. Services are looked up in the real machine's
list (getservbyname), which is a file.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from netglass.errors import MisuseError
from netglass.programs.descriptors import active
from netglass.wire.address import parse, text

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
}

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
    return host if host.isascii() else host.encode("idna").decode("ascii")


def addresses_of(name: str) -> tuple[str, ...]:
    """What a name, or an address as text, stands for; () if nobody has it."""
    known = numeric(name)
    if known:
        return (known,)
    plain = name.lower().rstrip(".")
    if plain in LOCALHOST or plain.endswith(".localhost"):
        return ("127.0.0.1", "::1")
    place = active().kernel.host()
    return place.resolve(name) or place.resolve(plain)


def resolve(host: str, family: int) -> str:
    """The first address of `family` (AF_INET, AF_INET6), or gaierror: what bind and connect do with a name."""
    found = addresses_of(host)
    if not found:
        raise failure(socket.EAI_NONAME)
    for address in found:
        if (":" in address) == (family == socket.AF_INET6):
            return address
    raise failure(socket.EAI_ADDRFAMILY)


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
    number = _port(port, type, flags)
    name = None if host is None else text_of(host)
    return [
        _info(address, kind, protocol, number, name if flags & socket.AI_CANONNAME else None)
        for address in _candidates(name, family, flags)
        for kind, protocol in kinds
    ]


def _candidates(name: str | None, family: int, flags: int) -> list[str]:
    found: tuple[str, ...]
    if name is None or name == "":
        found = ("0.0.0.0", "::") if flags & socket.AI_PASSIVE else ("127.0.0.1", "::1")
        if name == "" and not flags & socket.AI_PASSIVE:
            raise failure(socket.EAI_NONAME)
    elif flags & socket.AI_NUMERICHOST:
        found = tuple(filter(None, (numeric(name),)))
    else:
        found = addresses_of(name)
    if not found:
        raise failure(socket.EAI_NONAME)
    if family == socket.AF_INET6 and flags & socket.AI_V4MAPPED and not any(":" in each for each in found):
        return [f"::ffff:{each}" for each in found]
    fitting = [each for each in found if family == 0 or (":" in each) == (family == socket.AF_INET6)]
    if not fitting:
        raise failure(socket.EAI_ADDRFAMILY)
    return fitting


def _port(port: str | bytes | int | None, kind: int, flags: int) -> int:
    if port is None:
        return 0
    if isinstance(port, int):
        return port & 0xFFFF
    if not isinstance(port, (str, bytes)):
        raise OSError("Int or String expected")
    name = port.decode("ascii") if isinstance(port, bytes) else port
    if name.isdigit():
        return int(name) & 0xFFFF
    if flags & socket.AI_NUMERICSERV or not name:
        raise failure(socket.EAI_NONAME)
    try:
        return socket.getservbyname(name, "udp" if kind == socket.SOCK_DGRAM else "tcp")
    except OSError:
        raise failure(socket.EAI_SERVICE) from None


def _info(address: str, kind: int, protocol: int, port: int, canonical: str | None) -> Info:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where: tuple[Any, ...] = (address, port, 0, 0) if family is socket.AF_INET6 else (address, port)
    return family, socket.SocketKind(kind), protocol, canonical or "", where


def gethostbyname(name: str) -> str:
    host = text_of(name)
    if host == "":
        return "0.0.0.0"
    return "255.255.255.255" if host == "<broadcast>" else resolve(host, socket.AF_INET)


def gethostbyname_ex(name: str) -> tuple[str, list[str], list[str]]:
    host = text_of(name)
    found = [each for each in addresses_of(host) if ":" not in each]
    if not found:
        raise failure(socket.EAI_NONAME)
    return host, [], found


def gethostbyaddr(name: str) -> tuple[str, list[str], list[str]]:
    found = addresses_of(text_of(name) or "0.0.0.0")
    if not found:
        raise failure(socket.EAI_NONAME)
    owner = name_of(found[0])
    if not owner:
        raise socket.herror(1, "Unknown host")
    return owner, [], [found[0]]


def name_of(address: str) -> str:
    """The host's name; "" if nobody has the address."""
    if address == "::1" or address.startswith("127."):
        return "localhost"
    return active().kernel.host().name_of(address)


def gethostname() -> str:
    return active().kernel.host().name


def getfqdn(name: str = "") -> str:
    """A host of the lab has one name."""
    name = name.strip()
    if not name or name in ("0.0.0.0", "::"):
        return gethostname()
    found = addresses_of(name)
    return (name_of(found[0]) if found else "") or name


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
    name = "" if flags & socket.NI_NUMERICHOST else name_of(host)
    if flags & socket.NI_NAMEREQD and not name:
        raise failure(socket.EAI_NONAME)
    return name or host, str(port) if flags & socket.NI_NUMERICSERV else _service(port, flags)


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
    for index, known in if_nameindex():
        if known == name:
            return index
    raise OSError("no interface with this name")


def if_indextoname(index: int) -> str:
    for known, name in if_nameindex():
        if known == index:
            return name
    raise OSError(6, "No such device or address")
