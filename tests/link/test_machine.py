"""The kernel's side of a device, in namespaces that these tests make."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from netglass.errors import LinkError, MisuseError
from netglass.link.machine import Changes, Namespace, configure
from netglass.link.tun import Tun, mtu_of

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra wire)")


@pytest.fixture
def inside() -> Iterator[Namespace]:
    try:
        made = Namespace()
    except LinkError as error:
        pytest.skip(str(error))
    with made:
        yield made


@pytest.fixture
def tun(inside: Namespace) -> Iterator[Tun]:
    try:
        made = inside.call(Tun, "ng0")
    except LinkError as error:
        pytest.skip(str(error))
    yield made
    made.close()


def route_to(address: str) -> str:
    """The kernel's own address for sending to `address`; the reason if it knows no way."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((address, 9))
        except OSError as error:
            return os.strerror(error.errno or 0)
        return str(asking.getsockname()[0])


def test_an_address_and_its_network(inside: Namespace, tun: Tun):
    with inside.call(configure, "ng0", ["10.83.0.1/24", "fd83::1/64"]):
        assert inside.call(route_to, "10.83.0.77") == "10.83.0.1"
        assert inside.call(route_to, "fd83::77") == "fd83::1"
        assert inside.call(route_to, "192.0.2.1") == "Network is unreachable"


def test_packets_reach_the_device(inside: Namespace, tun: Tun):
    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
            speaker.sendto(b"hello", ("10.83.0.2", 9))

    inside.call(configure, "ng0", "10.83.0.1/24")
    inside.call(send)
    assert [bytes(frame[-5:]) for frame, _ in tun.read(64) if frame[0] >> 4 == 4] == [b"hello"]


def test_routes(inside: Namespace, tun: Tun):
    inside.call(configure, "ng0", "10.83.0.1/24", routes=["192.0.2.0/24", "::/0"])
    assert inside.call(route_to, "192.0.2.9") == "10.83.0.1"
    assert inside.call(route_to, "192.0.3.9") == "Network is unreachable"


def test_a_route_over_a_router(inside: Namespace, tun: Tun):
    def change() -> str:
        with configure("ng0", "10.83.0.1/24") as changes:
            changes.route("0.0.0.0/0", "ng0", via="10.83.0.254")
            return route_to("192.0.2.9")

    assert inside.call(change) == "10.83.0.1"


def test_all_is_taken_back(inside: Namespace, tun: Tun):
    def change() -> tuple[str, str, str]:
        with configure("ng0", "10.83.0.1/24", mtu=1400, routes=["192.0.2.0/24"]):
            during = route_to("192.0.2.9")
        # Up again, but by somebody else: neither address nor route is left.
        with configure("ng0"):
            return during, route_to("192.0.2.9"), route_to("10.83.0.2")

    assert inside.call(change) == ("10.83.0.1", "Network is unreachable", "Network is unreachable")
    tun.close()
    assert inside.call(Tun, "ng1").mtu == 1500


def test_the_mtu(inside: Namespace, tun: Tun):
    changes = inside.call(configure, "ng0", mtu=1400)
    assert mtu_of_ng0(inside) == 1400
    inside.call(changes.undo)
    assert mtu_of_ng0(inside) == 1500


def mtu_of_ng0(inside: Namespace) -> int:
    return inside.call(mtu_of, "ng0")


def test_what_was_there_before_stays(inside: Namespace, tun: Tun):
    inside.call(configure, "ng0", "10.83.0.1/24")
    again = inside.call(configure, "ng0", "10.83.0.1/24")
    inside.call(again.undo)
    assert inside.call(route_to, "10.83.0.2") == "10.83.0.1"


def test_a_mistake_leaves_nothing_behind(inside: Namespace, tun: Tun):
    with pytest.raises(MisuseError, match='behind the "/" stands a prefix length'):
        inside.call(configure, "ng0", ["10.83.0.1/24", "10.84.0.1/33"])
    inside.call(configure, "ng0")
    assert inside.call(route_to, "10.83.0.2") == "Network is unreachable"


def test_a_device_that_has_gone_needs_no_undoing(inside: Namespace, tun: Tun):
    changes = inside.call(configure, "ng0", "10.83.0.1/24", mtu=1400)
    tun.close()
    inside.call(changes.undo)


def test_no_such_device(inside: Namespace):
    with pytest.raises(LinkError, match="ng7: there is no such device"):
        inside.call(configure, "ng7", "10.83.0.1/24")


def test_an_address_that_the_kernel_refuses(inside: Namespace, tun: Tun):
    with pytest.raises(LinkError, match=r"ng0: route to 192.0.2.0/24: the kernel refuses: Network is unreachable"):
        inside.call(unreachable_router)


def unreachable_router() -> None:
    with configure("ng0", "10.83.0.1/24") as changes:
        changes.route("192.0.2.0/24", "ng0", via="172.16.0.1")


def without_rights(function: Callable[[], object]) -> None:
    """Calls `function` in a thread that has given up its capabilities (capset(2), version 3: three words, twice)."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capset(struct.pack("=Ii", 0x20080522, 0), bytes(24)) == 0
    function()


def test_the_right_that_is_missing_is_named():
    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(without_rights, lambda: configure("lo", "10.83.0.1/24"))
        making = pool.submit(without_rights, Namespace)
        with pytest.raises(LinkError, match=r"no right to change devices here \(CAP_NET_ADMIN\).* unshare -Urn"):
            changing.result()
        with pytest.raises(LinkError, match=r"no right to make a network namespace \(CAP_SYS_ADMIN\).* unshare -Urn"):
            making.result()


def test_without_pyroute2(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    with pytest.raises(LinkError, match=r"pip install 'netglass\[wire\]'"):
        Changes()


def test_processes_started_inside_stay_inside(inside: Namespace):
    command = [sys.executable, "-c", "import os; print(os.readlink('/proc/self/ns/net'), end='')"]
    theirs = inside.call(subprocess.run, command, capture_output=True, text=True, timeout=60).stdout
    assert theirs == inside.call(os.readlink, "/proc/thread-self/ns/net") != os.readlink("/proc/self/ns/net")


def test_a_closed_namespace(inside: Namespace):
    inside.close()
    inside.close()
    with pytest.raises(MisuseError, match="this namespace was closed"):
        inside.call(os.getpid)
