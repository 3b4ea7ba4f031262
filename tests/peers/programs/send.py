"""send.py ADDRESS PORT: sends the file `bulk` there, closes its half, and writes what comes to standard output."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30) as stream:
    stream.sendall(Path("bulk").read_bytes())
    stream.shutdown(socket.SHUT_WR)
    while data := stream.recv(1 << 18):
        sys.stdout.buffer.write(data)
