"""The system calls of a script, made on the host's sockets, and their results held against what the script says."""

from __future__ import annotations

from netglass.packetdrill.descriptor_options import DescriptorOptions
from netglass.packetdrill.opening import Opening
from netglass.packetdrill.polling import Polling
from netglass.packetdrill.process import Process, Table, Waiting
from netglass.packetdrill.script import SystemCall
from netglass.packetdrill.shell import Unsupported
from netglass.packetdrill.transfer import Transfer


class Calls:
    """All calls of one process, by name."""

    def __init__(self, process: Process) -> None:
        groups = (Opening(process), Transfer(process), DescriptorOptions(process), Polling(process))
        self._table: Table = {}
        for group in groups:
            self._table |= group.table()

    def start(self, call: SystemCall) -> Waiting | None:
        """Make `call`. None: it has returned, and as the script says; else it waits, and is to be resumed.

        Raises Mismatch if it returns something else, Unsupported if there is no such call.
        """
        if call.name not in self._table:
            known = ", ".join(sorted(self._table))
            raise Unsupported(f"the system call {call.name} is not supported; there are {known}")
        waiting = self._table[call.name](call)
        if waiting is None:
            return None
        try:
            next(waiting)
        except StopIteration:
            return None
        return waiting
