"""What happened, kept and drawn: the recorder, captures, ladders, tables."""

from netglass.trace.pcapng import write_pcapng
from netglass.trace.recorder import Recorder

__all__ = ["Recorder", "write_pcapng"]
