"""The Internet checksum (RFC 1071): the one's-complement sum of 16-bit words, complemented.

Adding with end-around carry is adding modulo 65535. Python does that to a whole buffer at once: read as one big number,
the buffer is congruent to the sum of its 16-bit digits, because 65536 = 1 (mod 65535). So no loop walks over words.
"""

from __future__ import annotations

Buffer = bytes | memoryview


def ones_sum(data: Buffer) -> int:
    """The one's-complement sum of `data`, 0 to 0xFFFF; an odd last byte is padded with a zero (RFC 1071 §1)."""
    number = int.from_bytes(data, "big")
    total = number % 65535 or (0xFFFF if number else 0)
    return fold(total << 8) if len(data) & 1 else total


def chunks_sum(chunks: tuple[Buffer, ...] | list[Buffer]) -> int:
    """The sum of `chunks` as if they were joined, not folded: sums of parts may be added before `checksum`."""
    total = 0
    end = 0
    for chunk in chunks:
        end += len(chunk)
        part = ones_sum(chunk)
        # A chunk that starts at an odd offset has its bytes the other way round in their words (RFC 1071 §2 (B)).
        total += part << 8 if (end - len(chunk)) & 1 else part
    return total


def fold(total: int) -> int:
    """`total` in 16 bits. Zero stays zero; any other multiple of 65535 is 0xFFFF, as adding with carries gives it."""
    return total % 65535 or (0xFFFF if total else 0)


def checksum(total: int) -> int:
    """The header field for data whose sums add up to `total` (the field itself counted as zero)."""
    return 0xFFFF - fold(total)


def intact(data: Buffer, pseudo: int) -> bool:
    """True if `data`, its checksum field included, and the pseudo-header's sum add up to all ones."""
    return fold(ones_sum(data) + pseudo) == 0xFFFF


def pseudo_header_sum(source: bytes, destination: bytes, protocol: int, length: int) -> int:
    """The sum of the pseudo-header of RFC 9293 §3.1 (IPv4) or RFC 8200 §8.1 (IPv6): one formula, zeros do not count."""
    return int.from_bytes(source + destination, "big") + protocol + length
