"""What happened, kept and drawn: the recorder, captures, ladders, tables."""

from netglass.trace.ladder import Ladder
from netglass.trace.pcapng import write_pcapng
from netglass.trace.recorder import Recorder

__all__ = ["Ladder", "Recorder", "write_pcapng"]
