"""IGMP and MLD: every message comes back as it was, and bytes that are none are refused with a reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errors import MisuseError, WireError
from netglass.times import MILLISECOND, SECOND
from netglass.wire.address import parse
from netglass.wire.icmp import IcmpMessage
from netglass.wire.igmp import decode_igmp, encode_igmp
from netglass.wire.membership import (
    BLOCK_OLD,
    IS_INCLUDE,
    Message,
    OldReport,
    Query,
    Record,
    Report,
    float_code,
    float_value,
)
from netglass.wire.mld import decode_mld, encode_mld

GROUP = {4: parse("239.1.2.3"), 6: parse("ff15::1:2")}


def told(message: Message) -> tuple[object, ...]:
    """The message as something that can be compared."""
    if isinstance(message, Query):
        return (
            "query",
            message.level,
            message.group,
            message.max_response,
            message.sources,
            message.suppress,
            message.robustness,
            message.interval,
        )
    if isinstance(message, OldReport):
        return ("old", message.level, message.group, message.leaving)
    return ("report", *[(record.kind, record.group, record.sources) for record in message.records])


def there_and_back(message: Message, version: int) -> Message:
    return decode_igmp(encode_igmp(message)) if version == 4 else decode_mld(encode_mld(message))


def address(version: int) -> st.SearchStrategy[bytes]:
    size = 4 if version == 4 else 16
    return st.binary(min_size=size, max_size=size)


@pytest.mark.parametrize("version", [4, 6])
@given(data=st.data())
def test_a_query_of_level_3_comes_back(version: int, data: st.DataObject) -> None:
    sources = tuple(data.draw(st.lists(address(version), max_size=5)))
    robustness = data.draw(st.integers(0, 7))
    query = Query(3, GROUP[version], 10 * SECOND, sources, data.draw(st.booleans()), robustness, 125 * SECOND)
    assert told(there_and_back(query, version)) == told(query)


@pytest.mark.parametrize("version", [4, 6])
@given(data=st.data())
def test_a_report_of_level_3_comes_back(version: int, data: st.DataObject) -> None:
    record = st.builds(
        Record, st.integers(IS_INCLUDE, BLOCK_OLD), address(version), st.lists(address(version), max_size=4).map(tuple)
    )
    report = Report(tuple(data.draw(st.lists(record, max_size=5))))
    assert told(there_and_back(report, version)) == told(report)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (4, Query(1, bytes(4), 10 * SECOND)),
        (4, Query(2, GROUP[4], SECOND)),
        (4, OldReport(1, GROUP[4])),
        (4, OldReport(2, GROUP[4])),
        (4, OldReport(2, GROUP[4], leaving=True)),
        (6, Query(2, GROUP[6], SECOND)),
        (6, OldReport(2, GROUP[6])),
        (6, OldReport(2, GROUP[6], leaving=True)),
    ],
)
def test_older_messages_come_back(version: int, message: Message) -> None:
    assert told(there_and_back(message, version)) == told(message)


def test_a_membership_report_as_rfc_2236_draws_it() -> None:
    # Type 0x16, no response time, checksum over the eight bytes, the group.
    assert encode_igmp(OldReport(2, parse("224.0.0.100"))).hex() == "1600099be0000064"


@pytest.mark.parametrize("bits", [8, 16])
@given(value=st.integers(0, 1 << 24))
def test_a_code_rounds_down_and_never_far(bits: int, value: int) -> None:
    most = float_value((1 << bits) - 1, bits)
    meant = min(value, most)
    read = float_value(float_code(value, bits), bits)
    assert read <= meant
    assert meant - read <= meant >> (bits - 4)


def test_the_codes_that_rfc_3376_gives() -> None:
    assert float_value(127, 8) == 127
    assert float_value(0x80, 8) == 128
    assert float_value(0xFF, 8) == 31744


def reason_of(decode: Callable[[], Message]) -> str:
    """Why the bytes are no message; "" if they are one."""
    try:
        decode()
    except WireError as error:
        return error.reason
    return ""


@given(data=st.binary(max_size=64))
def test_any_bytes_are_a_message_or_have_a_reason(data: bytes) -> None:
    reason = reason_of(lambda: decode_igmp(data, verify=False))
    assert reason in {"", "igmp-short", "igmp-length", "igmp-type"}


@given(kind=st.sampled_from([130, 131, 132, 143, 135]), rest=st.integers(0, (1 << 32) - 1), data=st.binary(max_size=64))
def test_any_icmp_is_a_message_or_has_a_reason(kind: int, rest: int, data: bytes) -> None:
    reason = reason_of(lambda: decode_mld(IcmpMessage(6, kind, 0, rest, data)))
    assert reason in {"", "mld-length", "mld-type"}
    assert (reason == "mld-type") is (kind == 135)


def test_a_wrong_checksum_is_told() -> None:
    data = bytearray(encode_igmp(OldReport(2, GROUP[4])))
    data[7] ^= 1
    with pytest.raises(WireError, match="igmp-checksum"):
        decode_igmp(bytes(data))


def test_igmp_knows_no_ipv6_and_mld_no_ipv4() -> None:
    with pytest.raises(MisuseError, match="IGMP tells of IPv4 groups"):
        encode_igmp(OldReport(2, GROUP[6]))
    with pytest.raises(MisuseError, match="MLD tells of IPv6 groups"):
        encode_mld(Report((Record(IS_INCLUDE, GROUP[4]),)))
    assert told(there_and_back(Query(3, GROUP[4], 1500 * MILLISECOND), 4))[3] == 1500 * MILLISECOND
