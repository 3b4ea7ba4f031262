"""How scripts call ICMP's types and codes (RFC 792, 1122, 1812; RFC 4443, 4291 for version 6)."""

from __future__ import annotations

from typing import Final

from netglass.packetdrill.script import IcmpPacket
from netglass.packetdrill.symbols import UnknownName

_TYPES_4: Final = {
    "echo_reply": 0,
    "unreachable": 3,
    "source_quench": 4,
    "redirect": 5,
    "echo_request": 8,
    "time_exceeded": 11,
    "parameter_problem": 12,
    "timestamp_request": 13,
    "timestamp_reply": 14,
    "information_request": 15,
    "information_reply": 16,
    "address_mask_request": 17,
    "address_mask_reply": 18,
}
_TYPES_6: Final = {
    "unreachable": 1,
    "packet_too_big": 2,
    "time_exceeded": 3,
    "parameter_problem": 4,
    "echo_request": 128,
    "echo_reply": 129,
}
_CODES_4: Final = {
    "unreachable": {
        "net_unreachable": 0,
        "host_unreachable": 1,
        "protocol_unreachable": 2,
        "port_unreachable": 3,
        "frag_needed": 4,
        "source_route_failed": 5,
        "net_unknown": 6,
        "host_unknown": 7,
        "source_host_isolated": 8,
        "net_prohibited": 9,
        "host_prohibited": 10,
        "net_unreachable_for_tos": 11,
        "host_unreachable_for_tos": 12,
        "packet_filtered": 13,
        "precedence_violation": 14,
        "precedence_cutoff": 15,
    },
    "time_exceeded": {"ttl_exceeded_in_transit": 0, "frag_reass_exceeded": 1},
}
_CODES_6: Final = {
    "unreachable": {
        "net_unreachable": 0,
        "no_route": 0,
        "admin_prohibited": 1,
        "not_neighbour": 2,
        "address_unreachable": 3,
        "port_unreachable": 4,
    },
    "time_exceeded": {"exceeded_hop_limit": 0, "exceeded_frag_time": 1},
    "parameter_problem": {"header_field": 0, "unknown_next_header": 1, "unknown_option": 2},
}


def numbers(version: int, packet: IcmpPacket) -> tuple[int, int]:
    """(type, code) of a message written by name, or as type_3 and code_4. Raises UnknownName."""
    types = _TYPES_4 if version == 4 else _TYPES_6
    kind = _numbered(packet.type, "type_")
    if kind is None:
        kind = types.get(packet.type)
    if kind is None:
        raise UnknownName(f"ICMPv{version} has no type {packet.type}; there are {', '.join(types)}")
    codes = (_CODES_4 if version == 4 else _CODES_6).get(packet.type, {})
    code = _numbered(packet.code, "code_") if packet.code else 0
    if code is None:
        code = codes.get(packet.code)
    if code is None:
        raise UnknownName(f"ICMPv{version} {packet.type} has no code {packet.code}; there are {', '.join(codes)}")
    return kind, code


def text(version: int, kind: int, code: int) -> tuple[str, str]:
    """The names of a type and of its code; the code's is "" if it is 0 and has none."""
    types = _TYPES_4 if version == 4 else _TYPES_6
    name = next((name for name, value in types.items() if value == kind), f"type_{kind}")
    codes = (_CODES_4 if version == 4 else _CODES_6).get(name, {})
    code_name = next((each for each, value in codes.items() if value == code), f"code_{code}" if code else "")
    return name, code_name


def _numbered(word: str, prefix: str) -> int | None:
    digits = word.removeprefix(prefix)
    return int(digits) if digits != word and digits.isdigit() else None
