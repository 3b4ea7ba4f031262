"""A ladder as plain data: what a page shows of each arrow, and what `Ladder.json` writes."""

from __future__ import annotations

from typing import Any

from netglass.probe import TcbSnapshot
from netglass.tcp.congestion.base import UNLIMITED
from netglass.times import NEVER, human
from netglass.trace.items import Arrow, Gap, Remark
from netglass.trace.ladder import Ladder
from netglass.trace.records import UNKNOWN
from netglass.trace.transmissions import Transmission
from netglass.wire.address import text as address_text
from netglass.wire.ethernet import EthernetFrame, frame_bytes, mac_text
from netglass.wire.packet import packet_bytes, packet_size
from netglass.wire.tcp import (
    END_OF_OPTIONS,
    FAST_OPEN,
    MAXIMUM_SEGMENT_SIZE,
    NO_OPERATION,
    SACK,
    SACK_PERMITTED,
    TIMESTAMPS,
    WINDOW_SCALE,
    TcpSegment,
    decode_option_list,
    encode_options,
    flag_text,
)

_SHOWN_BYTES = 96

Fields = dict[str, Any]


def model(ladder: Ladder) -> Fields:
    """Everything in the ladder. Times in ns since `origin_ns`, None for never."""
    hosts = [
        {"name": name, "address": label, "state": state}
        for name, label, state in zip(ladder.hosts, ladder.labels, ladder.initial, strict=True)
    ]
    return {"hosts": hosts, "origin_ns": ladder.origin, "items": [_item(ladder, item) for item in ladder.items]}


def _item(ladder: Ladder, item: Arrow | Remark | Gap) -> Fields:
    if isinstance(item, Arrow):
        return arrow_fields(ladder, item)
    if isinstance(item, Remark):
        return {"type": "remark", "time_ns": item.time - ladder.origin, **_remark(ladder, item)}
    return {
        "type": "gap",
        "time_ns": item.time - ladder.origin,
        "until_ns": item.until - ladder.origin,
        "packets": item.arrows,
        "payload": item.payload,
    }


def _remark(ladder: Ladder, remark: Remark) -> Fields:
    return {"host": ladder.hosts[remark.column], "kind": remark.kind, "text": remark.text}


def arrow_fields(ladder: Ladder, arrow: Arrow) -> Fields:
    first, last = arrow.first, arrow.last
    return {
        "type": "arrow",
        "source": ladder.hosts[arrow.source],
        "destination": ladder.hosts[arrow.destination],
        "sent_ns": arrow.first.sent - ladder.origin,
        "arrives_ns": None if arrow.arrives == NEVER else arrow.arrives - ladder.origin,
        "lost": arrow.lost,
        "kind": arrow.kind,
        "words": arrow.words,
        "marks": arrow.marks,
        "starts": [_remark(ladder, each) for each in arrow.starts],
        "ends": [_remark(ladder, each) for each in arrow.ends],
        "packet": packet_fields(first),
        "sender": _snapshot(first.tcb_before),
        "receiver": _snapshot(last.tcb_after),
    }


def packet_fields(transmission: Transmission) -> Fields:
    """The headers, field by field, and the first bytes in hexadecimal."""
    packet = transmission.packet
    frame = transmission.carried.ethernet
    found: Fields = {} if frame is None else _frame_fields(frame)
    if isinstance(packet, EthernetFrame):
        found["bytes"] = (transmission.carried.frame or frame_bytes(packet))[:_SHOWN_BYTES].hex()
        return found
    data = transmission.carried.frame or packet_bytes(packet)
    if frame is not None:
        data = transmission.carried.frame or frame_bytes(frame)
    found |= {
        "from": address_text(packet.source),
        "to": address_text(packet.destination),
        "ttl": packet.ttl,
        "size": packet_size(packet),
    }
    if packet.version == 4:
        found["ident"] = packet.ident
    if transmission.segment is not None:
        found |= _segment_fields(transmission, transmission.segment)
    found["bytes"] = data[:_SHOWN_BYTES].hex()
    return found


def _frame_fields(frame: EthernetFrame) -> Fields:
    found: Fields = {"to MAC": mac_text(frame.destination), "from MAC": mac_text(frame.source)}
    if frame.tag >= 0:
        found["VLAN"] = frame.vlan
    return found


def _segment_fields(transmission: Transmission, segment: TcpSegment) -> Fields:
    return {
        "source port": segment.source_port,
        "destination port": segment.destination_port,
        "flags": flag_text(segment.flags),
        "seq": segment.seq,
        "relative seq": None if transmission.seq == UNKNOWN else transmission.seq,
        "ack": segment.ack,
        "relative ack": None if transmission.ack == UNKNOWN else transmission.ack,
        "window": segment.window,
        "scaled window": transmission.window,
        "payload": segment.length,
        "options": option_words(segment),
    }


def option_words(segment: TcpSegment) -> list[str]:
    """The options as people say them: "MSS 1460", "SACK permitted"."""
    raw = segment.raw_options if segment.raw_options is not None else encode_options(segment)
    return [_option(kind, body) for kind, body in decode_option_list(raw) if kind not in (NO_OPERATION, END_OF_OPTIONS)]


def _option(kind: int, body: bytes) -> str:
    numbers = [int.from_bytes(body[at : at + 4], "big") for at in range(0, len(body) - 3, 4)]
    if kind == MAXIMUM_SEGMENT_SIZE and len(body) == 2:
        return f"MSS {int.from_bytes(body, 'big')}"
    if kind == WINDOW_SCALE and len(body) == 1:
        return f"window scale {body[0]}"
    if kind == SACK_PERMITTED:
        return "SACK permitted"
    if kind == TIMESTAMPS and len(numbers) == 2:
        return f"timestamps {numbers[0]}, {numbers[1]}"
    if kind == SACK:
        blocks = zip(numbers[::2], numbers[1::2], strict=False)
        return "SACK " + ", ".join([f"{left}-{right}" for left, right in blocks])
    if kind == FAST_OPEN:
        return f"Fast Open {body.hex() or 'request'}"
    return f"option {kind} {body.hex()}".rstrip()


def _snapshot(tcb: TcbSnapshot | None) -> Fields | None:
    """The control block with relative sequence numbers and RFC 9293's names."""
    if tcb is None:
        return None
    heard = tcb.irs != 0 or tcb.rcv_nxt != 0
    return {
        "state": tcb.state,
        "SND.UNA": tcb.snd_una - tcb.iss,
        "SND.NXT": tcb.snd_nxt - tcb.iss,
        "SND.WND": tcb.snd_wnd,
        "RCV.NXT": tcb.rcv_nxt - tcb.irs if heard else None,
        "RCV.WND": tcb.rcv_wnd,
        "cwnd": tcb.cwnd,
        "ssthresh": None if tcb.ssthresh >= UNLIMITED else tcb.ssthresh,
        "in flight": tcb.flight,
        "MSS": tcb.mss,
        "SRTT": human(tcb.srtt) if tcb.srtt > 0 else None,
        "RTO": human(tcb.rto),
        "backoff": tcb.backoff,
        "to be acknowledged": tcb.snd_queued,
        "not read yet": tcb.rcv_queued,
    }
