"""Ordinary network programs that the command line runs: on a device, in a lab, or on the machine's own sockets.

They know nothing of netglass.
"""
