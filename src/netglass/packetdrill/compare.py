"""Is the packet that came the one that the script expects? Both are in the script's numbers."""

from __future__ import annotations

import struct
from typing import Final

from netglass.packetdrill import icmp_names
from netglass.packetdrill.flow import Flow, options_length
from netglass.packetdrill.notation import option_text, options_text
from netglass.packetdrill.script import IcmpPacket, IpFields, Option, Packet, TcpPacket, UdpPacket
from netglass.packetdrill.settings import Settings
from netglass.wire.seq import unwrap
from netglass.wire.tcp import TIMESTAMPS, flag_letters

_ECT: Final = (1, 2)


def difference(expected: Packet, actual: Packet, flow: Flow, settings: Settings, tolerance: int) -> str:
    """ "" if `actual` fits, else what is different. `tolerance` is for timestamps, where these are checked."""
    if isinstance(expected, TcpPacket):
        if not isinstance(actual, TcpPacket):
            return "another protocol"
        found = _tcp(expected, actual) or _options(expected, actual, settings, tolerance)
    elif isinstance(expected, UdpPacket):
        found = _udp(expected, actual)
    else:
        found = _icmp(expected, actual, settings.wire_version)
    return found or _ip(expected.ip, actual.ip, flow)


def _tcp(expected: TcpPacket, actual: TcpPacket) -> str:
    if expected.flags != actual.flags:
        return f"the flags are {flag_letters(actual.flags)}, not {flag_letters(expected.flags)}"
    if expected.seq is not None and expected.seq != actual.seq:
        return f"the sequence number is {actual.seq}, not {expected.seq}"
    if expected.length != actual.length:
        return f"{actual.length} bytes of payload, not {expected.length}"
    if expected.ack != actual.ack:
        return f"the acknowledgment number is {actual.ack}, not {expected.ack}"
    if expected.window is not None and expected.window != actual.window:
        return f"the window is {actual.window}, not {expected.window}"
    if expected.urgent != actual.urgent:
        return f"the urgent pointer is {actual.urgent}, not {expected.urgent}"
    return _ports(expected.ports, actual.ports)


def _ports(expected: tuple[int, int], actual: tuple[int, int]) -> str:
    for name, wanted, found in zip(("source", "destination"), expected, actual, strict=True):
        if wanted and wanted != found:
            return f"the {name} port is {found}, not {wanted}"
    return ""


def _udp(expected: UdpPacket, actual: Packet) -> str:
    if not isinstance(actual, UdpPacket):
        return "another protocol"
    if expected.length != actual.length:
        return f"{actual.length} bytes of payload, not {expected.length}"
    return _ports(expected.ports, actual.ports)


def _icmp(expected: IcmpPacket, actual: Packet, version: int) -> str:
    if not isinstance(actual, IcmpPacket):
        return "another protocol"
    same = icmp_names.numbers(version, expected) == icmp_names.numbers(version, actual)
    return "" if same else "another ICMP message"


# -- the IP header


def _ip(expected: IpFields, actual: IpFields, flow: Flow) -> str:
    assert actual.tos is not None, "a packet that came has all fields"
    ecn = actual.tos & 3
    if expected.tos is not None and expected.tos != actual.tos:
        return f"the type of service is 0x{actual.tos:x}, not 0x{expected.tos:x}"
    if expected.ecn == "ect01" and ecn not in _ECT:
        return f"the ECN field is {ecn}, neither ECT(0) nor ECT(1)"
    if isinstance(expected.ecn, int) and expected.ecn != ecn:
        return f"the ECN field is {ecn}, not {expected.ecn}"
    if expected.ttl_hops and expected.ttl_hops != actual.ttl_hops:
        return f"the time to live is {actual.ttl_hops}, not {expected.ttl_hops}"
    return _flow_label(expected.flow_label, actual.flow_label, flow) if expected.flow_label else ""


def _flow_label(expected: int, actual: int, flow: Flow) -> str:
    """A script's labels are names for live ones: the same name means the same label, another name another one."""
    if not actual:
        return "the packet has no flow label"
    known = flow.label
    if known is not None and known[0] == expected:
        return "" if known[1] == actual else f"the flow label changed from 0x{known[1]:x} to 0x{actual:x}"
    if known is not None and known[1] == actual:
        return f"the flow label is still 0x{actual:x}"
    flow.label = (expected, actual)
    return ""


# -- TCP options


def _options(expected: TcpPacket, actual: TcpPacket, settings: Settings, tolerance: int) -> str:
    if expected.options is None:
        return ""
    wanted, found = expected.options, actual.options or ()
    if options_length(wanted) != options_length(found) or not _same_kinds(wanted, found):
        return f"the options are <{options_text(found)}>, not <{options_text(wanted)}>"
    for one, other in zip(wanted, found, strict=False):
        problem = _option(one, other, settings, tolerance)
        if problem:
            return problem
    return ""


def _same_kinds(wanted: tuple[Option, ...], found: tuple[Option, ...]) -> bool:
    # What follows the end mark is padding: scripts write it, what came was cut there.
    length = min(len(wanted), len(found))
    same = [option.kind for option in wanted[:length]] == [option.kind for option in found[:length]]
    return same and all(option.kind == 0 for option in (*wanted[length:], *found[length:]))


def _option(wanted: Option, found: Option, settings: Settings, tolerance: int) -> str:
    if wanted.kind != TIMESTAMPS:
        return "" if wanted == found else f"the option is {option_text(found)}, not {option_text(wanted)}"
    if not settings.timestamp_tick:
        return ""
    wanted_value, wanted_echo = struct.unpack("!II", wanted.body)
    value, echo = struct.unpack("!II", found.body)
    away = abs(unwrap(value, wanted_value) - wanted_value) * settings.timestamp_tick
    if away > tolerance or echo != wanted_echo:
        return f"the option is {option_text(found)}, not {option_text(wanted)}"
    return ""
