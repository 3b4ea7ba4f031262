"""An Ethernet device of the kernel (one end of a veth, a port of a bridge, a network card) through a packet socket
(packet(7)): we see every frame that it receives, and what we write leaves through it.

The kernel's own stack sees those frames as well. So the device should have no address of the kernel's: then nobody but
us answers.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from typing import Final

from netglass.errors import LinkError
from netglass.host.interface import LARGEST_PACKET
from netglass.link.device import CHECKED, Device, gone
from netglass.link.link import Received
from netglass.link.offload import VNET_SIZE
from netglass.link.tun import mtu_of
from netglass.wire.ethernet import VLAN_TAG

_ETH_P_ALL: Final = 0x0003
_SIOCGIFHWADDR: Final = 0x8927
_SIOCGIFINDEX: Final = 0x8933
_SOL_PACKET: Final = 263
_PACKET_ADD_MEMBERSHIP: Final = 1
_PACKET_AUXDATA: Final = 8
_PACKET_VNET_HDR: Final = 15
_PACKET_IGNORE_OUTGOING: Final = 23
_PACKET_MR_ALLMULTI: Final = 2

# struct tpacket_auxdata: status, two lengths, two offsets, tag, its type
_auxiliary: Final = struct.Struct("=IIIHHHH")
_AUXILIARY_SPACE: Final = socket.CMSG_SPACE(_auxiliary.size)
_TAGGED: Final = 1 << 4  # TP_STATUS_VLAN_VALID
_MACS: Final = 12  # bytes of a frame before its tag


class Packet(Device):
    """The device `name`, which must exist, under our host; its MAC address is ours.

    `offload`: we send segments of up to 64 KiB for the kernel to cut. Checksums are left to it in any case, if it takes
    them (PACKET_VNET_HDR): what another stack on this machine sends has none, and without that header nobody could
    tell.
    """

    __slots__ = ("_socket",)

    def __init__(self, name: str, offload: bool = True) -> None:
        opened, vnet, mac, mtu = open_socket(name)
        super().__init__(opened.fileno(), name, mtu, LARGEST_PACKET if vnet and offload else 0, mac, vnet)
        self._socket: socket.socket = opened

    def read(self, most: int) -> list[Received]:
        found: list[Received] = []
        vnet_size = VNET_SIZE if self.vnet else 0
        buffers = self._buffers
        receive = self._socket.recvmsg_into
        try:
            while len(found) < most:
                data = buffers.free
                # There is room before it for the tag that the kernel took out.
                size, told, _, _ = receive((memoryview(data)[VLAN_TAG:],), _AUXILIARY_SPACE)
                verify = not data[VLAN_TAG] & CHECKED if vnet_size else True
                start = VLAN_TAG + vnet_size
                tag = tag_of(told)
                if tag:
                    data[vnet_size : vnet_size + _MACS] = data[start : start + _MACS]
                    data[vnet_size + _MACS : start + _MACS] = tag
                    start = vnet_size
                found.append((buffers.frame(start, VLAN_TAG + size), verify))
        except BlockingIOError:
            pass
        except OSError as error:
            self._failed(error)
        return found

    def _failed(self, error: OSError) -> None:
        # A device that is deleted says once that it is down, and then nothing any more.
        if error.errno == errno.ENETDOWN and not self._exists():
            raise gone(self.name, OSError(errno.ENODEV, "")) from None
        super()._failed(error)

    def _exists(self) -> bool:
        try:
            fcntl.ioctl(self._descriptor, _SIOCGIFINDEX, struct.pack("16s24x", self.name.encode()))
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._descriptor = -1
        self._socket.close()


def tag_of(told: list[tuple[int, int, bytes]]) -> bytes:
    """The 802.1Q tag that the kernel has taken out of a frame, as it stood there; b"" if there was none."""
    for level, kind, value in told:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(value) >= _auxiliary.size:
            status, _, _, _, _, tag, kind_of_tag = _auxiliary.unpack_from(value)
            return struct.pack("!HH", kind_of_tag or 0x8100, tag) if status & _TAGGED else b""
    return b""


def open_socket(name: str) -> tuple[socket.socket, bool, bytes, int]:
    """(socket, whether frames have the vnet header, the device's MAC address, its MTU)."""
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    except PermissionError:
        text = f"{name}: no right to packet sockets (CAP_NET_RAW); be root of a namespace: unshare -Urn COMMAND"
        raise LinkError(errno.EPERM, text) from None
    try:
        opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        opened.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        vnet = _set_vnet(opened)
        opened.bind((name, _ETH_P_ALL))
        asked = struct.pack("16s24x", name.encode())
        mac = fcntl.ioctl(opened, _SIOCGIFHWADDR, asked)[18:24]
        # A network card lets in only the groups that it knows of; ours are filtered by the host.
        (index,) = struct.unpack_from("16xi", fcntl.ioctl(opened, _SIOCGIFINDEX, asked))
        all_groups = struct.pack("=iHH8x", index, _PACKET_MR_ALLMULTI, 0)
        opened.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, all_groups)
        return opened, vnet, mac, mtu_of(name)
    except OSError as error:
        opened.close()
        text = f"{name}: there is no such device" if error.errno == errno.ENODEV else f"{name}: {error.strerror}"
        raise LinkError(error.errno, text) from None


def _set_vnet(opened: socket.socket) -> bool:
    try:
        opened.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    except OSError:
        return False
    return True
