"""`netglass cidr`: what an address with a prefix length means, bit by bit (RFC 4632)."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface
from typing import Annotated

import typer

EPILOG = "Examples:  netglass cidr 117.128.134.111/20   ·   netglass cidr 2001:db8::1/48   ·   netglass cidr 10.0.0.7/255.255.255.0 --json"

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface


@dataclass(frozen=True)
class Block:
    """An address block in words. `broadcast` is None for IPv6 and for prefixes that have none (/31 and /32, RFC
    3021)."""

    address: str
    prefix: int
    mask: str
    network: str
    broadcast: str | None
    first_host: str
    last_host: str
    hosts: int


def block_of(interface: Interface) -> Block:
    network = interface.network
    bits = network.max_prefixlen
    plain = interface.version == 4 and network.prefixlen < bits - 1
    first = int(network.network_address) + (1 if plain else 0)
    last = int(network.broadcast_address) - (1 if plain else 0)
    kind: type[Address] = IPv4Address if interface.version == 4 else IPv6Address
    return Block(
        address=str(interface.ip),
        prefix=network.prefixlen,
        mask=str(network.netmask),
        network=str(network.network_address),
        broadcast=str(network.broadcast_address) if plain else None,
        first_host=str(kind(first)),
        last_host=str(kind(last)),
        hosts=last - first + 1,
    )


def digits(address: int, width: int, prefix: int) -> str:
    """IPv4: the bits in groups of eight. IPv6: the hexadecimal digits in groups of four. A bar stands where the prefix
    ends."""
    base, group, separator, count = ("b", 8, ".", width) if width == 32 else ("x", 4, ":", width // 4)
    per_digit = width // count
    out = ""
    for index, digit in enumerate(f"{address:0{count}{base}}"):
        if index and index * per_digit == prefix - prefix % per_digit:
            out += "|"
        elif index and index % group == 0:
            out += separator
        out += digit
    return out


def steps(interface: Interface) -> list[tuple[str, str, str]]:
    """(what, digits, address) in the order in which one works it out by hand."""
    network = interface.network
    width, prefix = network.max_prefixlen, network.prefixlen
    rows: list[tuple[str, Address]] = [
        ("address", interface.ip),
        ("mask", network.netmask),
        ("network = address AND mask", network.network_address),
    ]
    if block_of(interface).broadcast is not None:
        rows.append(("broadcast = network OR NOT mask", network.broadcast_address))
    return [(what, digits(int(value), width, prefix), str(value)) for what, value in rows]


def read(text: str) -> Interface:
    """What `text` says, or in words what is wrong with it."""
    address, slash, prefix = text.partition("/")
    if "%" in address:
        raise typer.BadParameter(
            f"{address}: a zone (what is behind %) belongs to one host, and to no network; leave it out"
        )
    try:
        plain = ip_address(address)
    except ValueError:
        raise typer.BadParameter(f"{address!r} is no address; write it like 117.128.134.111/20") from None
    bits = plain.max_prefixlen
    example = 24 if bits == 32 else 64
    if not slash:
        raise typer.BadParameter(f"{address} has no prefix length; write it like {address}/{example}")
    if not is_prefix(prefix, bits):
        mask = ", or a mask of ones followed by zeros, such as 255.255.255.0" if bits == 32 else ""
        raise typer.BadParameter(f"behind the / stands a length from 0 to {bits}{mask}; not {prefix!r}")
    return ip_interface(text)


def is_prefix(text: str, bits: int) -> bool:
    """A length; for IPv4 also a mask. Not a wildcard mask such as 0.0.0.255: the same digits would mean the opposite."""
    if text.isascii() and text.isdecimal():
        return int(text) <= bits
    try:
        mask = int(IPv4Address(text))
    except ValueError:
        return False
    holes = ~mask & 0xFFFFFFFF
    return bits == 32 and holes & (holes + 1) == 0


def cidr(
    address: Annotated[
        str, typer.Argument(help="An address with a prefix length or a mask, such as 117.128.134.111/20.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Network, mask, broadcast and host range of an address, worked out step by step."""
    interface = read(address)
    block = block_of(interface)
    worked = steps(interface)
    if json:
        typer.echo(jsonlib.dumps({**asdict(block), "digits": {what.split(" ")[0]: text for what, text, _ in worked}}))
        return
    typer.echo(f"{block.address}/{block.prefix}\n")
    width = max(len(what) for what, _, _ in worked)
    for what, text, value in worked:
        typer.echo(f"  {what:<{width}}  {text}  {value}")
    typer.echo(
        f"\n  the first {block.prefix} bits name the network, the other {interface.network.max_prefixlen - block.prefix} the host"
    )
    typer.echo(f"  hosts  {block.first_host} - {block.last_host}  ({block.hosts:,})")
