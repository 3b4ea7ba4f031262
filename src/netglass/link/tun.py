"""TUN and TAP: the kernel's own network stack at the other end, over /dev/net/tun (Documentation/networking/tuntap).

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

from netglass.errors import LinkError, MisuseError
from netglass.host.interface import LARGEST_PACKET
from netglass.link.device import Device

NODE: Final = "/dev/net/tun"

IFF_TUN: Final = 0x0001
IFF_TAP: Final = 0x0002
IFF_NO_PI: Final = 0x1000
IFF_VNET_HDR: Final = 0x4000
TUNSETIFF: Final = 0x400454CA
TUNSETOFFLOAD: Final = 0x400454D0
SIOCGIFMTU: Final = 0x8921
SIOCSIFMTU: Final = 0x8922

# What we take from the kernel as it is (TUN_F_*).
CHECKSUM: Final = 0x01
TSO4: Final = 0x02
TSO6: Final = 0x04
TSO_ECN: Final = 0x08
STEPS: Final = (CHECKSUM | TSO4 | TSO6 | TSO_ECN, CHECKSUM | TSO4 | TSO6, CHECKSUM | TSO4, CHECKSUM)

NAME_LIMIT: Final = 15  # IFNAMSIZ less the zero


class Tun(Device):
    """A TUN device: whole IP packets. `name` may exist already, if it belongs to this user; else it is made, and goes
    when it is closed. "" or "ng%d" lets the kernel choose a name. `mtu` 0 leaves it as it is (1500 for a new one),
    `offload=False` opens a plain device."""

    __slots__ = ("offloads",)

    def __init__(self, name: str = "", mtu: int = 0, offload: bool = True) -> None:
        descriptor, chosen = open_device(name, IFF_TUN | IFF_NO_PI, offload)
        self.offloads: int = settle_offloads(descriptor) if offload else 0  # of CHECKSUM, TSO4, TSO6, TSO_ECN
        gso_size = LARGEST_PACKET if self.offloads & TSO4 else 0
        super().__init__(descriptor, chosen, settle_mtu(descriptor, chosen, mtu), gso_size, b"", offload)


class Tap(Device):
    """A TAP device: the kernel's end is an Ethernet interface, and so is ours, with `hardware_address` (b"" makes one
    up). The rest is as for `Tun`."""

    __slots__ = ("offloads",)

    def __init__(self, name: str = "", hardware_address: bytes = b"", mtu: int = 0, offload: bool = True) -> None:
        descriptor, chosen = open_device(name, IFF_TAP | IFF_NO_PI, offload)
        self.offloads: int = settle_offloads(descriptor) if offload else 0
        gso_size = LARGEST_PACKET if self.offloads & TSO4 else 0
        # Locally administered, for one machine: the second lowest bit of the first byte is set, the lowest is not.
        own = hardware_address or b"\x02" + os.urandom(5)
        super().__init__(descriptor, chosen, settle_mtu(descriptor, chosen, mtu), gso_size, own, offload)


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


def settle_offloads(descriptor: int) -> int:
    """The most that this kernel agrees to."""
    for step in STEPS:
        try:
            fcntl.ioctl(descriptor, TUNSETOFFLOAD, step)
            return step
        except OSError:
            continue
    return 0


def settle_mtu(descriptor: int, name: str, mtu: int) -> int:
    """The MTU of device `name`, after it was set if `mtu` is not 0. If it cannot be set, `descriptor` is closed: nobody
    will have a use for it."""
    if mtu:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                fcntl.ioctl(asking, SIOCSIFMTU, struct.pack("16sI20x", name.encode(), mtu))
        except (OSError, struct.error) as error:
            os.close(descriptor)
            if not isinstance(error, OSError):
                raise MisuseError(f"{name}: an MTU is a number of bytes; not {mtu}") from None
            text = f"{name}: the kernel does not take an MTU of {mtu}: {error.strerror}"
            raise LinkError(error.errno, text) from None
    return mtu_of(name)


def mtu_of(name: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, SIOCGIFMTU, struct.pack("16sI20x", name.encode(), 0))
    return int(struct.unpack_from("16sI", answer)[1])
