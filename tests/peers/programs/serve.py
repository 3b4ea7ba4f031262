"""Services on a dual-stack socket each, in threads, as one would write them anywhere: echo (7, TCP and UDP), a digest
of all that comes (9), a file for whoever connects (17), a conversation (23), the working directory (80)."""

from __future__ import annotations

import hashlib
import http.server
import socketserver
import threading
from pathlib import Path
from socket import AF_INET6, SHUT_WR, SOCK_DGRAM, create_server, socket


class Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


class Digest(socketserver.StreamRequestHandler):
    """It answers after the end: the other side must have closed its half only."""

    def handle(self) -> None:
        digest = hashlib.sha256()
        while data := self.request.recv(1 << 18):
            digest.update(data)
        self.request.sendall(digest.hexdigest().encode() + b"\n")


class File(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.request.sendall(Path("bulk").read_bytes())
        self.request.shutdown(SHUT_WR)


class Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"welcome\n")
        for line in self.rfile:
            if line == b"bye\n":
                break
            self.wfile.write(line.upper())


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.close()
        self.socket = create_server(("", self.server_address[1]), family=AF_INET6, dualstack_ipv6=True, backlog=128)


class Pages(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def echo_datagrams() -> None:
    with socket(AF_INET6, SOCK_DGRAM) as door:
        door.bind(("::", 7))
        while True:
            data, who = door.recvfrom(1 << 16)
            door.sendto(data, who)


HANDLERS = {7: Echo, 9: Digest, 17: File, 23: Talk, 80: Pages}
for port, handler in HANDLERS.items():
    server = Server(("", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
echo_datagrams()
