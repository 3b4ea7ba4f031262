"""TUN: the kernel's own network stack at the other end, over /dev/net/tun (Linux, Documentation/networking/tuntap).

With IFF_VNET_HDR a header of ten bytes (linux/virtio_net.h) goes before each packet: the kernel hands over segments of
up to 64 KiB with checksums not yet reckoned, and takes such from us, to be cut and summed by itself. Where that is not
to be had, the device falls back by steps: fewer kinds of segments, checksums only, nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from typing import Final

from netglass.counters import Counters
from netglass.errors import LinkError, MisuseError
from netglass.host.interface import LARGEST_PACKET
from netglass.link.link import Link, Received
from netglass.link.offload import VNET_SIZE, vnet_buffers
from netglass.wire.checksum import Buffer
from netglass.wire.ip import IpPacket
from netglass.wire.packet import encode_packet

NODE: Final = "/dev/net/tun"

IFF_TUN: Final = 0x0001
IFF_TAP: Final = 0x0002
IFF_NO_PI: Final = 0x1000
IFF_VNET_HDR: Final = 0x4000
TUNSETIFF: Final = 0x400454CA
TUNSETOFFLOAD: Final = 0x400454D0
SIOCGIFMTU: Final = 0x8921

# What we take from the kernel as it is (TUN_F_*).
CHECKSUM: Final = 0x01
TSO4: Final = 0x02
TSO6: Final = 0x04
TSO_ECN: Final = 0x08
STEPS: Final = (CHECKSUM | TSO4 | TSO6 | TSO_ECN, CHECKSUM | TSO4 | TSO6, CHECKSUM | TSO4, CHECKSUM)

NAME_LIMIT: Final = 15  # IFNAMSIZ less the zero
LONGEST_READ: Final = VNET_SIZE + LARGEST_PACKET + 18  # a TAP's frame has its Ethernet header, perhaps with a tag
VIEW_FROM: Final = 8192  # from this size on a view costs less than a copy
CHECKED: Final = 3  # VIRTIO_NET_HDR_F_NEEDS_CSUM, _DATA_VALID: nobody between the kernel and us could have hurt it


class Tun(Link):
    """A TUN device: whole IP packets. `name` may exist already, if it belongs to this user; else it is made, and goes
    when it is closed. "" or "ng%d" lets the kernel choose a name. `offload=False` opens a plain device."""

    __slots__ = ("_descriptor", "counters", "offloads", "vnet")

    def __init__(self, name: str = "", offload: bool = True) -> None:
        self.vnet: bool = offload
        self._descriptor, chosen = open_device(name, IFF_TUN | IFF_NO_PI, offload)
        self.offloads: int = settle_offloads(self._descriptor) if offload else 0  # of CHECKSUM, TSO4, TSO6, TSO_ECN
        super().__init__(chosen, mtu_of(chosen), LARGEST_PACKET if self.offloads & TSO4 else 0)
        self.counters: Counters = Counters()

    def fileno(self) -> int:
        return self._descriptor

    def read(self, most: int) -> list[Received]:
        found: list[Received] = []
        descriptor = self._descriptor
        try:
            while len(found) < most:
                data = os.read(descriptor, LONGEST_READ)
                if self.vnet:
                    found.append(without_vnet(data))
                else:
                    found.append((data, True))
        except BlockingIOError:
            pass
        except OSError as error:
            raise gone(self.name, error) from None
        return found

    def write(self, packets: list[IpPacket]) -> int:
        descriptor = self._descriptor
        vnet = self.vnet
        taken = 0
        for packet in packets:
            try:
                os.writev(descriptor, vnet_buffers(packet) if vnet else encode_packet(packet))
            except BlockingIOError:
                break
            except OSError as error:
                self._refused(error)
            taken += 1
        return taken

    def _refused(self, error: OSError) -> None:
        # EIO: the other end is down, as a cable that is pulled out. EINVAL: the kernel dislikes this one packet.
        if error.errno not in (errno.EIO, errno.EINVAL, errno.ENOBUFS, errno.ENOMEM):
            raise gone(self.name, error) from None
        self.counters.add("link-" + errno.errorcode[error.errno].lower())

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def without_vnet(data: bytes) -> Received:
    """What stands behind the header of ten bytes, and whether somebody must look at its checksum."""
    frame: Buffer = data[VNET_SIZE:] if len(data) < VIEW_FROM else memoryview(data)[VNET_SIZE:]
    return frame, not data[0] & CHECKED


# -- opening


def open_device(name: str, flags: int, vnet: bool) -> tuple[int, str]:
    """(descriptor, name that the device has)."""
    encoded = name.encode()
    if len(encoded) > NAME_LIMIT:
        raise MisuseError(f"a device name has at most {NAME_LIMIT} bytes; {name!r} has {len(encoded)}")
    descriptor = open_node(name)
    try:
        request = struct.pack("16sH22x", encoded, flags | (IFF_VNET_HDR if vnet else 0))
        answer = fcntl.ioctl(descriptor, TUNSETIFF, request)
        return descriptor, answer[:16].rstrip(b"\0").decode()
    except OSError as error:
        os.close(descriptor)
        raise LinkError(error.errno, refusal(name, error.errno)) from None


def open_node(name: str) -> int:
    try:
        return os.open(NODE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        text = f"{name}: there is no {NODE}: load the module (modprobe tun), or pass it into the container"
        raise LinkError(errno.ENOENT, text) from None
    except PermissionError:
        text = f"{name}: {NODE} is closed to this user: an administrator opens it with chmod 0666 {NODE}"
        raise LinkError(errno.EACCES, text) from None
    except OSError as error:
        raise LinkError(error.errno, f"{name}: {NODE} cannot be opened: {error.strerror}") from None


def refusal(name: str, number: int | None) -> str:
    """Why TUNSETIFF failed and what to do."""
    if number == errno.EPERM:
        return (
            f"{name}: no right to make or take this device (CAP_NET_ADMIN). Be root of a namespace of your own: "
            f"unshare -Urn COMMAND; or let an administrator make it: ip tuntap add dev {name} mode tun user YOU"
        )
    if number == errno.EBUSY:
        return f"{name}: another program has this device open: end it, or choose another name"
    if number == errno.EINVAL:
        return f"{name}: a device of this name exists and is of another kind: choose another name"
    return f"{name}: the kernel does not make this device: {os.strerror(number or 0)}"


def gone(name: str, error: OSError) -> LinkError:
    """EBADFD: somebody deleted the device. EBADF: we closed it."""
    if error.errno in (errno.EBADFD, errno.EBADF):
        return LinkError(error.errno, f"{name}: the device has gone (deleted, or closed): open it again")
    return LinkError(error.errno, f"{name}: the device fails: {error.strerror}")


def settle_offloads(descriptor: int) -> int:
    """The most that this kernel agrees to."""
    for step in STEPS:
        try:
            fcntl.ioctl(descriptor, TUNSETOFFLOAD, step)
            return step
        except OSError:
            continue
    return 0


def mtu_of(name: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, SIOCGIFMTU, struct.pack("16sI20x", name.encode(), 0))
    return int(struct.unpack_from("16sI", answer)[1])
