"""The arithmetic of address blocks (RFC 4632), with the two addresses of the notes."""

from __future__ import annotations

from ipaddress import ip_interface

import pytest
import typer

from netglass.cli.cidr import block_of, read, steps


@pytest.mark.parametrize(
    ("address", "network", "mask", "broadcast", "hosts"),
    [
        ("117.128.134.111/16", "117.128.0.0", "255.255.0.0", "117.128.255.255", 65534),
        ("117.128.134.111/20", "117.128.128.0", "255.255.240.0", "117.128.143.255", 4094),
        ("10.0.0.7/30", "10.0.0.4", "255.255.255.252", "10.0.0.7", 2),
        ("10.0.0.7/31", "10.0.0.6", "255.255.255.254", None, 2),
        ("10.0.0.7/32", "10.0.0.7", "255.255.255.255", None, 1),
        ("10.0.0.7/0", "0.0.0.0", "0.0.0.0", "255.255.255.255", 4294967294),
        ("2001:db8::1/64", "2001:db8::", "ffff:ffff:ffff:ffff::", None, 1 << 64),
    ],
)
def test_blocks(address: str, network: str, mask: str, broadcast: str | None, hosts: int) -> None:
    block = block_of(ip_interface(address))
    assert (block.network, block.mask, block.broadcast, block.hosts) == (network, mask, broadcast, hosts)


def test_the_steps_show_where_the_prefix_ends() -> None:
    assert [text for _, text, _ in steps(ip_interface("117.128.134.111/20"))] == [
        "01110101.10000000.1000|0110.01101111",
        "11111111.11111111.1111|0000.00000000",
        "01110101.10000000.1000|0000.00000000",
        "01110101.10000000.1000|1111.11111111",
    ]
    assert steps(ip_interface("117.128.134.111/16"))[0][1] == "01110101.10000000|10000110.01101111"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("10.0.0.1", "10.0.0.1 has no prefix length; write it like 10.0.0.1/24"),
        ("10.0.0.999/24", "'10.0.0.999' is no address; write it like"),
        ("10.0.0.1/33", "a length from 0 to 32, or a mask of ones followed by zeros"),
        ("10.0.0.1/0.0.0.255", "not '0.0.0.255'"),  # a wildcard mask: the opposite of a mask
        ("10.0.0.1/255.0.255.0", "not '255.0.255.0'"),
        ("2001:db8::1", "write it like 2001:db8::1/64"),
        ("2001:db8::1/ffff::", "a length from 0 to 128; not 'ffff::'"),
        ("fe80::1%eth0/64", "a zone (what is behind %)"),
    ],
)
def test_what_is_no_block_is_told(text: str, told: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        read(text)
    assert told in str(caught.value)


@pytest.mark.parametrize("mask", ["255.255.255.255", "255.255.240.0", "0.0.0.0"])
def test_a_mask_is_as_good_as_a_length(mask: str) -> None:
    assert block_of(read(f"10.1.2.3/{mask}")).mask == mask
