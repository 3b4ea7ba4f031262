"""A lab in real time: some of its hosts are real kernels, each in a network namespace, with ordinary processes."""

from netglass.wirelab.lab import WireLab
from netglass.wirelab.process import Process
from netglass.wirelab.summary import summary

__all__ = ["Process", "WireLab", "summary"]
