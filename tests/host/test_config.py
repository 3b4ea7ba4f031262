"""sysctl names."""

from __future__ import annotations

import pytest

from netglass.errors import MisuseError
from netglass.host.config import _SYSCTLS, HostConfig
from netglass.neighbor.config import SYSCTLS
from netglass.times import NEVER, SECOND


def values(config: HostConfig) -> dict[str, object]:
    """Every value that a configuration holds."""
    found: dict[str, object] = {}
    parts: tuple[object, ...] = (config, config.tcp, config.neighbor)
    for part in parts:
        for name in dir(part):
            value = getattr(part, name)
            if not name.startswith("_") and not callable(value) and value not in parts:
                found[f"{type(part).__name__}.{name}"] = value
    return found


BOUNDS = {**SYSCTLS, **{name: (known.count, known.least, known.most) for name, known in _SYSCTLS.items()}}


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_every_name_sets_exactly_one_value_and_its_bounds_hold(name: str):
    count, least, most = BOUNDS[name]
    before = values(HostConfig())
    changed = set()
    for number in {least, most}:
        config = HostConfig()
        config.set(name, " ".join([str(number)] * count))
        changed |= {key for key, value in values(config).items() if value != before[key]}
    assert len(changed) == 1
    for wrong in (f"{most + 1}", f"{least - 1}", "yes", "", "1 2 3 4"):
        with pytest.raises(MisuseError, match=name.replace(".", "\\.")):
            HostConfig().set(name, wrong)


def test_names_and_units_are_linux_s():
    config = HostConfig()
    config.set("net.ipv4.tcp_fin_timeout", 30)
    config.set("net.ipv4.tcp_rmem", "4096 131072 6291456")
    config.set("net.ipv4.ip_local_port_range", "40000\t50000")
    config.set("net.ipv4.tcp_congestion_control", "reno")
    config.set("net.ipv4.tcp_challenge_ack_limit", 2147483647)
    config.set("net.ipv4.tcp_orphan_retries", 0)
    config.set("net.ipv4.ip_forward", "1")
    assert config.tcp.fin_timeout == 30 * SECOND
    assert config.tcp.rmem == (4096, 131072, 6291456)
    assert config.port_range == (40000, 50000)
    assert config.tcp.congestion_control == "reno"
    assert config.tcp.challenge_ack_limit == NEVER
    assert config.tcp.orphan_retries == 8
    assert config.forwarding


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(MisuseError, match=r"no sysctl 'net\.ipv4\.tcp_syncookie' here.*net\.ipv4\.tcp_syncookies"):
        HostConfig().set("net.ipv4.tcp_syncookie", 1)


def test_numbers_that_must_rise():
    with pytest.raises(MisuseError, match="must rise"):
        HostConfig().set("net.ipv4.ip_local_port_range", "50000 40000")


def test_a_copy_takes_over_every_value_in_place():
    other = HostConfig()
    parts: tuple[object, ...] = (other, other.tcp, other.neighbor)
    for part in parts:
        for name in dir(part):
            value = getattr(part, name)
            if name.startswith("_") or callable(value):
                continue
            if isinstance(value, bool):
                setattr(part, name, not value)
            elif isinstance(value, int):
                setattr(part, name, value + 1)
            elif isinstance(value, tuple):
                setattr(part, name, tuple([each + 1 for each in value]))
            elif isinstance(value, str):
                setattr(part, name, value + "x")
    config = HostConfig()
    tcp = config.tcp
    assert all(value != values(other)[name] for name, value in values(config).items())
    config.copy_from(other)
    assert values(config) == values(other)
    assert config.tcp is tcp


def test_only_a_known_congestion_control_is_set():
    config = HostConfig()
    config.set("net.ipv4.tcp_congestion_control", "reno")
    with pytest.raises(MisuseError, match=r"tcp_congestion_control is one of cubic, .*this is 'nope'"):
        config.set("net.ipv4.tcp_congestion_control", "nope")
    assert config.tcp.congestion_control == "reno"
