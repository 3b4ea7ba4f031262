"""SYN cookies (RFC 4987 §3.6): a listener that remembers nothing between the SYN and the third segment.

What it would have to remember it hides in the SYN-ACK, and the peer brings it back in the ACK. The SYN-ACK's sequence
number is the cookie:

    H(flow) + the peer's ISN + (minutes << 24) + ((H'(flow, the peer's ISN, minutes) + place in MSS table) mod 2**24)

Nobody else can make one that fits: the hashes are keyed. The minutes let it grow old. There is room for two bits of MSS
and for nothing more; if both ends use timestamps, the low six bits of ours carry the window scale and SACK, and without
timestamps a connection from a cookie has neither. And a cookie that is lost is never sent again, nor asked for if the
ACK is lost: nobody knows of it. Layout and numbers are Linux's (net/ipv4/syncookies.c); but there H' leaves out the
peer's ISN, so that an ACK numbered one or two too high passes with a smaller MSS.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from netglass.rng import Rng
from netglass.tcp.config import TcpConfig
from netglass.tcp.half_open import HalfOpen, HalfOpenKey, syn_ack
from netglass.times import MILLISECOND, SECOND
from netglass.wire.seq import MASK
from netglass.wire.tcp import ABSENT, TcpSegment

PERIOD: Final = 60 * SECOND
PERIODS_VALID: Final = 2
VALIDITY: Final = PERIODS_VALID * PERIOD
"""How long a listener that has sent a cookie takes ACKs for cookies at all."""

# The sizes that are common enough to be worth one of the four places; the peer's is rounded down to one of them.
MSS_TABLE_V4: Final = (536, 1300, 1440, 1460)
MSS_TABLE_V6: Final = (1220, 1420, 1440, 8940)

_COUNT_SHIFT: Final = 24
_LOW: Final = (1 << _COUNT_SHIFT) - 1

# The low bits of the timestamp: | ECN, not used | SACK | window scale, four bits, 15: none |
_OPTION_BITS: Final = 6
_SACK: Final = 0x10
_SCALE: Final = 0x0F


class SynCookies:
    """Makes cookies for one listening port and knows its own again. Several machines can share one secret:
    `TcpConfig.cookie_secret`; 0 draws it from `rng`."""

    __slots__ = ("_port", "_secret")

    def __init__(self, port: int, rng: Rng, config: TcpConfig) -> None:
        source = Rng(config.cookie_secret) if config.cookie_secret else rng.stream("syn-cookies")
        self._port: int = port
        self._secret: bytes = source.bytes(16)

    def cookie(self, key: HalfOpenKey, irs: int, mss: int, now: int) -> int:
        """The sequence number for a SYN-ACK, 32 bits, to a peer whose SYN had `irs` and `mss`."""
        flow = self._flow(key)
        count = now // PERIOD
        low = (self._hash(flow, irs, count) + _place(mss, _table(key[2]))) & _LOW
        return (self._hash(flow) + irs + (count << _COUNT_SHIFT) + low) & MASK

    def mss(self, cookie: int, key: HalfOpenKey, irs: int, now: int) -> int:
        """The MSS in `cookie`; 0 if it is none of ours, or too old, or was made for somebody else."""
        flow = self._flow(key)
        count = now // PERIOD
        rest = (cookie - self._hash(flow) - irs) & MASK
        age = (count - (rest >> _COUNT_SHIFT)) & 0xFF
        if age >= PERIODS_VALID:
            return 0
        place = (rest - self._hash(flow, irs, count - age)) & _LOW
        table = _table(key[2])
        return table[place] if place < len(table) else 0

    def answer(self, entry: HalfOpen, now: int) -> TcpSegment:
        """The SYN-ACK from whose ACK `restore` makes `entry` again; the entry itself can be forgotten."""
        entry.iss = self.cookie(entry.key, entry.irs, entry.peer_mss, now)
        if entry.ts_recent == ABSENT:
            entry.snd_wscale = entry.rcv_wscale = ABSENT
            entry.sack_ok = False
            return syn_ack(entry, self._port, ABSENT)
        stamp = timestamp_with_options(now // MILLISECOND, entry.snd_wscale, entry.sack_ok)
        return syn_ack(entry, self._port, (stamp + entry.ts_offset) & MASK)

    def restore(self, ack: TcpSegment, key: HalfOpenKey, ts_offset: int, now: int) -> HalfOpen | None:
        """The entry that `ack` brings back, without what we announced; None if it brings no cookie of ours."""
        cookie, irs = (ack.ack - 1) & MASK, (ack.seq - 1) & MASK
        mss = self.mss(cookie, key, irs, now)
        if not mss:
            return None
        entry = HalfOpen(key, irs, cookie, now)
        entry.sent_at = -1
        entry.window = ack.window
        entry.peer_mss = mss
        entry.ts_offset = ts_offset
        if ack.ts_val != ABSENT:
            entry.ts_recent = ack.ts_val
            stamp = ack.ts_ecr - ts_offset if ack.ts_ecr else 0
            entry.snd_wscale, entry.sack_ok = options_in_timestamp(stamp)
        return entry

    def _flow(self, key: HalfOpenKey) -> bytes:
        return key[2] + key[0] + (self._port << 16 | key[1]).to_bytes(4, "big")

    def _hash(self, flow: bytes, irs: int = -1, count: int = -1) -> int:
        text = flow + irs.to_bytes(5, "big", signed=True) + count.to_bytes(5, "big", signed=True)
        return int.from_bytes(blake2b(text, digest_size=4, key=self._secret).digest(), "big")


def _table(address: bytes) -> tuple[int, ...]:
    return MSS_TABLE_V4 if len(address) == 4 else MSS_TABLE_V6


def _place(mss: int, table: tuple[int, ...]) -> int:
    place = len(table) - 1
    while place and mss < table[place]:
        place -= 1
    return place


def timestamp_with_options(clock: int, snd_wscale: int, sack_ok: bool) -> int:
    """The largest number <= `clock` (milliseconds) whose low bits say what the SYN offered: so the connection's later
    timestamps are never older than this one."""
    bits = _SCALE if snd_wscale == ABSENT else snd_wscale
    if sack_ok:
        bits |= _SACK
    stamp = (clock >> _OPTION_BITS << _OPTION_BITS) | bits
    return stamp if stamp <= clock else stamp - (1 << _OPTION_BITS)


def options_in_timestamp(stamp: int) -> tuple[int, bool]:
    """(window scale or ABSENT, SACK permitted), from a timestamp that came back."""
    scale = stamp & _SCALE
    return (ABSENT if scale == _SCALE else scale), bool(stamp & _SACK)
