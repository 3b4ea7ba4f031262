"""What happened, kept and drawn: the recorder, captures, ladders, tables."""

from netglass.trace.ladder import Ladder
from netglass.trace.pcapng import write_pcapng
from netglass.trace.reader import read_capture
from netglass.trace.recorder import Recorder
from netglass.trace.table import counters, netstat, ss

__all__ = ["Ladder", "Recorder", "counters", "netstat", "read_capture", "ss", "write_pcapng"]
