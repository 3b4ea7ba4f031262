"""The place in a lab where one of this machine's kernels is plugged in: a cable's end with a TUN device in it.

The device is a plain one, without offloads: the kernel cuts its segments to the cable's MTU and reckons all checksums,
so that a loss, a queue or a rate meets what it would meet on a wire. A super-segment would be lost, or wait, as one.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from netglass.counters import Counters
from netglass.errors import LinkError, WireError
from netglass.lab.machine import Port
from netglass.link.tun import Tun
from netglass.wire.ip import IpPacket
from netglass.wire.packet import decode_packet, packet_bytes

BURST: Final = 64
"""Packets that are read from one device before the others have their turn."""

QUEUE: Final = 10_000
"""Packets that may wait until the lab reads them: what it does not read in time is lost, and no cable says so."""


class Gate(Port):
    """Takes the place of `port`."""

    __slots__ = ("counters", "tun")

    def __init__(self, port: Port, tun: Tun) -> None:
        super().__init__(port.machine, port.interface, port.cable, port.end)
        self.tun: Tun = tun
        self.counters: Counters = Counters()
        ends = (self, port.peer) if port.end == 0 else (port.peer, self)
        for end in ends:
            end.ends = ends
        machine = port.machine
        machine.ports[machine.ports.index(port)] = self
        machine.ports_by_index[port.interface.index] = self

    def read(self, now: int) -> None:
        """Hands what the kernel sends to the cable."""
        observers = self.machine.scene.observers
        for frame, verify in self.tun.read(BURST):
            try:
                packet = decode_packet(frame, verify)
            except WireError as error:
                # A cable judges packets; what is none cannot be put into it.
                self.counters.add(error.reason)
                continue
            if observers.probes:
                observers.packet_sent(self.machine.name, self.interface.name, packet, None, now)
            self.send(packet, now)

    def happen(self, item: object, now: int) -> None:
        """A packet, or its bytes, arrived over the cable."""
        if isinstance(item, IpPacket):
            observers = self.machine.scene.observers
            if observers.probes:
                observers.packet_received(self.machine.name, self.interface.name, item, now)
            self._write(packet_bytes(item))
        elif isinstance(item, bytes):
            self._write(item)

    def _write(self, data: bytes) -> None:
        try:
            os.write(self.tun.fileno(), data)
        except OSError as error:
            # EIO: the kernel's end is down. EINVAL: the kernel dislikes this one packet, as a network card would.
            if error.errno not in (errno.EIO, errno.EINVAL, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN):
                name = f"{self.machine.name}: {self.tun.name}"
                raise LinkError(error.errno, f"{name}: the device fails: {error.strerror}") from None
            self.counters.add("kernel-" + errno.errorcode[error.errno].lower())
