"""An Ethernet device of the kernel (one end of a veth, a port of a bridge, a network card) through a packet socket
(packet(7)): we see every frame that it receives, and what we write leaves through it.

The kernel's own stack sees those frames as well. So the device should have no address of the kernel's: then nobody but
us answers.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from typing import Final

from netglass.errors import LinkError
from netglass.host.interface import LARGEST_PACKET
from netglass.link.device import Device
from netglass.link.tun import mtu_of

_ETH_P_ALL: Final = 0x0003
_SIOCGIFHWADDR: Final = 0x8927
_SOL_PACKET: Final = 263
_PACKET_VNET_HDR: Final = 15
_PACKET_IGNORE_OUTGOING: Final = 23


class Packet(Device):
    """The device `name`, which must exist, under our host; its MAC address is ours.

    `offload`: we send segments of up to 64 KiB for the kernel to cut. Checksums are left to it in any case, if it takes
    them (PACKET_VNET_HDR): what another stack on this machine sends has none, and without that header nobody could
    tell.
    """

    __slots__ = ()

    def __init__(self, name: str, offload: bool = True) -> None:
        descriptor, vnet, mac = open_socket(name)
        super().__init__(descriptor, name, mtu_of(name), LARGEST_PACKET if vnet and offload else 0, mac, vnet)


def open_socket(name: str) -> tuple[int, bool, bytes]:
    """(descriptor, whether frames have the vnet header, the device's MAC address)."""
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    except PermissionError:
        text = f"{name}: no right to packet sockets (CAP_NET_RAW); be root of a namespace: unshare -Urn COMMAND"
        raise LinkError(errno.EPERM, text) from None
    with opened:
        try:
            opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            vnet = _set_vnet(opened)
            opened.bind((name, _ETH_P_ALL))
            answer = fcntl.ioctl(opened, _SIOCGIFHWADDR, struct.pack("16s24x", name.encode()))
        except OSError as error:
            text = f"{name}: there is no such device" if error.errno == errno.ENODEV else f"{name}: {error.strerror}"
            raise LinkError(error.errno, text) from None
        return os.dup(opened.fileno()), vnet, answer[18:24]


def _set_vnet(opened: socket.socket) -> bool:
    try:
        opened.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    except OSError:
        return False
    return True
