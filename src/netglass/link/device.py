"""What links over a descriptor of the kernel have in common: a read gives one frame, a write takes one, and with
offloads a header of ten bytes (`link.offload`) goes before each."""

from __future__ import annotations

import errno
import os
from typing import Final

from netglass.build import mypyc_attr
from netglass.counters import Counters
from netglass.errors import LinkError
from netglass.host.interface import LARGEST_PACKET
from netglass.link.buffers import ReadBuffers
from netglass.link.link import Link, Outgoing, Received
from netglass.link.offload import VNET_SIZE, vnet_buffers, vnet_frame_buffers
from netglass.wire.checksum import Buffer
from netglass.wire.ethernet import ETHERNET_HEADER, VLAN_TAG, encode_frame
from netglass.wire.ip import IpPacket
from netglass.wire.packet import encode_packet

LONGEST_READ: Final = VNET_SIZE + ETHERNET_HEADER + VLAN_TAG + LARGEST_PACKET
CHECKED: Final = 3  # VIRTIO_NET_HDR_F_NEEDS_CSUM, _DATA_VALID: nobody between the kernel and us could have hurt it

# The device is down, as a cable that is pulled out; the kernel dislikes this one frame; it is short of memory.
_PASSING: Final = frozenset({errno.EIO, errno.EINVAL, errno.ENOBUFS, errno.ENOMEM, errno.ENETDOWN, errno.EMSGSIZE})


@mypyc_attr(allow_interpreted_subclasses=True)
class Device(Link):
    """`descriptor` is open and does not block. `vnet`: the header of ten bytes is there."""

    __slots__ = ("_buffers", "_descriptor", "counters", "vnet")

    def __init__(
        self, descriptor: int, name: str, mtu: int, gso_size: int, hardware_address: bytes, vnet: bool
    ) -> None:
        super().__init__(name, mtu, gso_size, hardware_address)
        self._descriptor: int = descriptor
        self._buffers: ReadBuffers = ReadBuffers(LONGEST_READ)
        self.vnet: bool = vnet
        self.counters: Counters = Counters()  # frames that the kernel refused, by the name of the error

    def fileno(self) -> int:
        return self._descriptor

    def read(self, most: int) -> list[Received]:
        found: list[Received] = []
        descriptor = self._descriptor
        vnet = self.vnet
        buffers = self._buffers
        try:
            while len(found) < most:
                data = buffers.free
                size = os.readv(descriptor, (data,))
                # The header's flags say whether somebody must look at the checksum.
                verify = not data[0] & CHECKED if vnet else True
                found.append((buffers.frame(VNET_SIZE if vnet else 0, size), verify))
        except BlockingIOError:
            pass
        except OSError as error:
            self._failed(error)
        return found

    def write(self, packets: list[Outgoing]) -> int:
        descriptor = self._descriptor
        taken = 0
        for packet in packets:
            try:
                os.writev(descriptor, self._encoded(packet))
            except BlockingIOError:
                break
            except OSError as error:
                self._failed(error)
            taken += 1
        return taken

    def _encoded(self, packet: Outgoing) -> list[Buffer]:
        if isinstance(packet, IpPacket):
            return vnet_buffers(packet) if self.vnet else encode_packet(packet)
        return vnet_frame_buffers(packet) if self.vnet else encode_frame(packet)

    def _failed(self, error: OSError) -> None:
        number = error.errno or 0
        if number not in _PASSING:
            raise gone(self.name, error) from None
        self.counters.add("link-" + errno.errorcode[number].lower())

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def gone(name: str, error: OSError) -> LinkError:
    """EBADFD, ENODEV, ENXIO: somebody deleted the device. EBADF: we closed it."""
    if error.errno in (errno.EBADFD, errno.EBADF, errno.ENODEV, errno.ENXIO):
        return LinkError(error.errno, f"{name}: the device has gone (deleted, or closed): open it again")
    return LinkError(error.errno, f"{name}: the device fails: {error.strerror}")
