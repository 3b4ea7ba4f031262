"""The Linux kernel's programs talk to a host of ours over TUN, TAP and a packet socket, in a network namespace that
each test makes. Skipped, with the reason, where the machine forbids it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netglass.drive import Drive, DriveHost
from netglass.errors import LinkError, MisuseError
from netglass.link.device import Device
from netglass.link.machine import Namespace, configure
from netglass.link.packet import Packet
from netglass.link.tun import Tap, Tun
from netglass.sockets.constants import AF_INET, SOCK_NONBLOCK, SOCK_STREAM
from netglass.times import MILLISECOND, SECOND
from netglass.world import POLLIN, POLLOUT
from tests.drive.services import Digest, Door, WebServer, page

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra wire)")

LIMIT = 15 * SECOND
OURS = ("10.83.0.2/24", "fd83::2/64")
KERNEL = ("10.83.0.1/24", "fd83::1/64")


@pytest.fixture
def inside() -> Iterator[Namespace]:
    try:
        made = Namespace()
    except LinkError as error:
        pytest.skip(str(error))
    with made:
        yield made


def veth(inside: Namespace, offload: bool) -> Device:
    from pyroute2 import IPRoute

    def make() -> None:
        with IPRoute() as netlink:
            netlink.link("add", ifname="ng0", kind="veth", peer={"ifname": "ng1"})

    inside.call(make)
    inside.call(configure, "ng1")
    return inside.call(Packet, "ng1", offload)


MAKERS: dict[str, Callable[[Namespace], Device]] = {
    "tun": lambda inside: inside.call(Tun, "ng0"),
    "plain tun": lambda inside: inside.call(Tun, "ng0", offload=False),
    "tap": lambda inside: inside.call(Tap, "ng0"),
    "plain tap": lambda inside: inside.call(Tap, "ng0", offload=False),
    "packet": lambda inside: veth(inside, True),
    "plain packet": lambda inside: veth(inside, False),
}


@pytest.fixture(params=MAKERS)
def device(request: pytest.FixtureRequest, inside: Namespace) -> Device:
    return made(request.param, inside)


def made(kind: str, inside: Namespace) -> Device:
    try:
        link = MAKERS[kind](inside)
    except LinkError as error:
        pytest.skip(str(error))
    # Else the kernel looks for duplicates of its IPv6 address first, and speaks from ::1 meanwhile.
    inside.call(Path("/proc/sys/net/ipv6/conf/ng0/accept_dad").write_text, "0")
    inside.call(configure, "ng0", KERNEL)
    return link


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive() as world:
        yield world


def host_on(drive: Drive, link: Device) -> DriveHost:
    host = drive.host("netglass")
    drive.attach(host, link, *OURS)
    return host


def run(drive: Drive, inside: Namespace, *command: str, stdin: bytes | Path = b"") -> bytes:
    """What a program of the kernel's side writes, while our side is driven."""
    source = subprocess.PIPE if isinstance(stdin, bytes) else stdin.open("rb")
    process = inside.call(subprocess.Popen, command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        if isinstance(stdin, bytes) and process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        assert process.stdout is not None
        assert process.stderr is not None
        os.set_blocking(process.stdout.fileno(), False)
        limit = drive.now() + LIMIT
        heard = b""
        drive.flush()
        while process.poll() is None:
            assert drive.now() < limit, f"{command[0]} did not end in time"
            drive.turn(drive.now() + 20 * MILLISECOND)
            heard += process.stdout.read() or b""
        heard += process.stdout.read() or b""
        assert process.returncode == 0, process.stderr.read().decode()
        return heard
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for each in (process.stdout, process.stderr, source):
            if each is not None and not isinstance(each, int):
                each.close()


def curl() -> str:
    found = shutil.which("curl")
    if found is None:
        pytest.skip("curl is not installed")
    return found


def test_curl_fetches_a_page(inside: Namespace, device: Device, drive: Drive):
    Door(host_on(drive, device), 80, WebServer)
    for url in ("http://10.83.0.2/300000", "http://[fd83::2]/300000"):
        assert run(drive, inside, curl(), "-sS", "--max-time", "30", url) == page(300000)


SEND = """
import socket, sys
data = sys.stdin.buffer.read()
with socket.create_connection((sys.argv[1], 7), timeout=30) as stream:
    stream.sendall(data)
    stream.shutdown(socket.SHUT_WR)
    sys.stdout.write(stream.recv(100).decode())
"""


@pytest.mark.parametrize("address", ["10.83.0.2", "fd83::2"])
def test_what_the_kernel_sends_arrives_whole(
    inside: Namespace, device: Device, drive: Drive, tmp_path: Path, address: str
):
    Door(host_on(drive, device), 7, Digest)
    data = hashlib.shake_256(b"bulk").digest(2_000_000)
    source = tmp_path / "bulk"
    source.write_bytes(data * 4)
    answer = run(drive, inside, sys.executable, "-c", SEND, address, stdin=source)
    assert answer.decode() == hashlib.sha256(data * 4).hexdigest()


LISTEN = """
import hashlib, socket, sys
with socket.create_server(("10.83.0.1", 9)) as listener:
    print("ready", flush=True)
    stream, _ = listener.accept()
    digest = hashlib.sha256()
    while data := stream.recv(1 << 20):
        digest.update(data)
    stream.sendall(digest.hexdigest().encode())
    stream.close()
"""


def test_what_we_send_to_the_kernel_arrives_whole(inside: Namespace, device: Device, drive: Drive):
    host = host_on(drive, device)
    process = inside.call(subprocess.Popen, [sys.executable, "-c", LISTEN], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        data = hashlib.shake_256(b"ours").digest(2_000_000) * 4
        assert sent_and_answered(drive, host, data) == hashlib.sha256(data).hexdigest().encode()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


def sent_and_answered(drive: Drive, host: DriveHost, data: bytes) -> bytes:
    sockets = host.sockets
    fd = sockets.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
    sockets.connect(fd, ("10.83.0.1", 9), drive.now())
    sent = 0
    answer = b""
    limit = drive.now() + LIMIT
    while True:
        drive.flush()
        assert drive.now() < limit, "it did not arrive in time"
        ready = sockets.ready(fd)
        if sent < len(data) and ready & POLLOUT:
            sent += max(sockets.send(fd, data[sent : sent + (256 << 10)], drive.now()), 0)
            if sent == len(data):
                sockets.shutdown(fd, socket.SHUT_WR, drive.now())
            continue
        if ready & POLLIN:
            more = sockets.recv(fd, 1000, drive.now())
            assert isinstance(more, bytes)
            if not more:
                return answer
            answer += more
            continue
        drive.turn(drive.now() + 20 * MILLISECOND)


@pytest.mark.parametrize("kind", ["tun", "tap", "packet"])
def test_super_segments_pass(kind: str, inside: Namespace, drive: Drive, tmp_path: Path):
    """With offloads a bulk transfer takes far fewer packets than it has segments, in both directions."""
    host = host_on(drive, made(kind, inside))
    Door(host, 80, WebServer)
    Door(host, 7, Digest)
    run(drive, inside, curl(), "-sS", "--max-time", "30", "-o", "/dev/null", "http://10.83.0.2/4000000")
    interface = host.core.interfaces["ng1" if kind == "packet" else "ng0"]
    assert interface.out_packets < 4_000_000 / 1448 / 4
    before = interface.in_packets
    source = tmp_path / "bulk"
    source.write_bytes(bytes(4_000_000))
    run(drive, inside, sys.executable, "-c", SEND, "10.83.0.2", stdin=source)
    assert interface.in_packets - before < 4_000_000 / 1448 / 2


# -- what can go wrong, in one line each


def test_a_device_that_is_deleted(inside: Namespace, drive: Drive):
    from pyroute2 import IPRoute

    host_on(drive, made("tun", inside))

    def delete() -> None:
        with IPRoute() as netlink:
            netlink.link("del", index=netlink.link_lookup(ifname="ng0")[0])

    inside.call(delete)
    with pytest.raises(LinkError, match=r"^ng0: the device has gone \(deleted, or closed\): open it again$"):
        drive.run()


def test_a_device_that_is_open_already(inside: Namespace):
    first = made("tun", inside)
    with pytest.raises(LinkError, match=r"^ng0: another program has this device open: end it, or choose another name$"):
        inside.call(Tun, "ng0")
    first.close()


def test_a_name_that_another_kind_of_device_has(inside: Namespace):
    with pytest.raises(LinkError, match=r"^lo: a device of this name exists and is of another kind: choose another"):
        inside.call(Tun, "lo")


def test_no_such_device(inside: Namespace):
    with pytest.raises(LinkError, match=r"^nothing: there is no such device$"):
        inside.call(Packet, "nothing")


AS_NOBODY = """
import os, sys
sys.path[:0] = sys.argv[1].split(os.pathsep)
from netglass.link.packet import Packet
from netglass.link.tun import Tun
os.setuid(65534)
for kind in (Tun, Packet):
    try:
        kind("ng9")
    except OSError as error:
        print(error)
"""


def test_without_the_right_to_it():
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    command = [sys.executable, "-c", AS_NOBODY, os.pathsep.join(sys.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("ng9: /dev/net/tun is closed to this user") or "CAP_NET_ADMIN" in lines[0]
    assert "CAP_NET_RAW" in lines[1]


def test_as_root_of_a_user_namespace():
    """Without root: `unshare -Urn` makes us root of a namespace with a network of its own."""
    script = "from netglass.link.tun import Tun; tun = Tun('ng0'); print(tun.name, tun.mtu)"
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [unshare, "-Urn", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)
    if done.returncode and ("unshare" in done.stderr or "/dev/net/tun is closed" in done.stderr):
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.stdout == "ng0 1500\n", done.stderr


def test_a_packet_socket_keeps_the_vlan_tag(inside: Namespace):
    """The kernel takes it out of the frame; without it, what is for a VLAN would come into the untagged network."""
    link = made("packet", inside)
    frame = b"\xff" * 6 + b"\x02" + bytes(5) + bytes.fromhex("8100 200a 0800") + bytes(50)

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
            out.bind(("ng0", 0))
            out.send(frame)

    inside.call(send)
    found: list[bytes] = []
    while frame[6:12] not in [each[6:12] for each in found]:
        assert select.select([link], [], [], 10)[0]
        found += [bytes(each) for each, _ in link.read(64)]
    link.close()
    assert frame in found


def test_a_packet_socket_hears_every_group(inside: Namespace):
    """Else a network card would let in no question of neighbour discovery."""
    link = made("packet", inside)

    def flags() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            answer = fcntl.ioctl(asking, 0x8913, b"ng1".ljust(40, b"\0"))  # SIOCGIFFLAGS
        return int.from_bytes(answer[16:18], sys.byteorder)

    def all_groups() -> int:
        from pyroute2 import IPRoute

        with IPRoute() as netlink:
            return int(netlink.link("get", ifname="ng1")[0].get_attr("IFLA_ALLMULTI") or 0)

    assert inside.call(flags) & 1
    assert inside.call(all_groups) == 1
    link.close()
    assert inside.call(all_groups) == 0


def test_a_device_under_a_packet_socket_that_is_deleted(inside: Namespace, drive: Drive):
    from pyroute2 import IPRoute

    host_on(drive, made("packet", inside))

    def delete() -> None:
        with IPRoute() as netlink:
            netlink.link("del", index=netlink.link_lookup(ifname="ng0")[0])

    inside.call(delete)
    with pytest.raises(LinkError, match=r"^ng1: the device has gone \(deleted, or closed\): open it again$"):
        drive.wait(drive.now() + LIMIT)


@pytest.mark.parametrize("mtu", [1, -1])
def test_an_mtu_that_cannot_be_leaves_no_descriptor(inside: Namespace, mtu: int):
    made("tun", inside).close()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises((LinkError, MisuseError), match="MTU"):
        inside.call(Tun, "ng0", mtu)
    assert len(os.listdir("/proc/self/fd")) == before
