"""Captures that can be decrypted: tshark reads the HTTP in what programs said over TLS."""

from __future__ import annotations

import asyncio
import http.server
import shutil
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from netglass import Network
from netglass.programs.run import run, spawn
from netglass.trace import Recorder, read_capture, write_pcapng

CERTIFICATE = Path(__file__).with_name("certificate.pem")
PAGE = b"secret-page"
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


def recorded():
    net = Network(seed=3)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms")
    trace = Recorder()
    net.observe(trace)
    return client, server, trace


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_context(version=None):
    context = ssl.create_default_context(cafile=CERTIFICATE)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args):
        pass


def serve_blocking():
    server = http.server.ThreadingHTTPServer(("", 443), Pages)
    server.socket = server_context().wrap_socket(server.socket, server_side=True)
    server.serve_forever()


async def serve_async():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "0.0.0.0", 443, ssl=server_context())
    await server.serve_forever()


def ask_blocking(context):
    with urllib.request.urlopen("https://server/page", context=context) as answer:
        return answer.read()


async def ask_async(context):
    reader, writer = await asyncio.open_connection("server", 443, ssl=context)
    writer.write(b"GET /page HTTP/1.0\r\n\r\n")
    text = await reader.read()
    writer.close()
    await writer.wait_closed()
    return text.partition(b"\r\n\r\n")[2]


def http_in(path):
    """What tshark finds: requested paths; bodies and codes of answers."""
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark")
    fields = ["-e", "http.request.uri", "-e", "http.file_data", "-e", "http.response.code"]
    command = ["tshark", "-r", str(path), "-Y", "http", "-T", "fields", *fields]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return found.replace(PAGE.hex(), PAGE.decode()).split()  # versions differ in how they show bytes


@pytest.mark.tshark
@VERSIONS
@pytest.mark.parametrize("clients", ["blocking", "async"])
@pytest.mark.parametrize("servers", ["blocking", "async"])
def test_tshark_reads_what_was_encrypted(tmp_path, version, clients, servers):
    client, server, trace = recorded()
    spawn(server, serve_blocking if servers == "blocking" else lambda: asyncio.run(serve_async()), daemon=True)
    ask = ask_blocking if clients == "blocking" else lambda context: asyncio.run(ask_async(context))

    def program():
        answer = ask(client_context(version))
        time.sleep(1)  # the server closes its end
        return answer

    assert run(client, program) == PAGE
    path = tmp_path / "tls.pcapng"
    write_pcapng(trace, path)
    assert PAGE not in path.read_bytes()
    assert http_in(path) == ["/page", "secret-page", "200"]


def test_without_an_observer_nothing_is_kept():
    net = Network(seed=3)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server)
    spawn(server, serve_blocking, daemon=True)
    context = client_context()

    def ask():
        ask_blocking(context)
        return context.keylog_filename

    assert run(client, ask) is None


def test_a_context_writes_no_secrets_after_the_run():
    client, server, trace = recorded()
    spawn(server, serve_blocking, daemon=True)
    context = client_context()
    run(client, ask_blocking, context)
    assert context.keylog_filename is None
    labels = [line.split()[0] for line in trace.secrets]
    assert "CLIENT_TRAFFIC_SECRET_0" in labels
    assert len(labels) == len(set(labels)), "both ends know the same; it is told once"


def test_a_program_that_keeps_its_own_log_goes_on_doing_so(tmp_path):
    client, server, trace = recorded()
    spawn(server, serve_blocking, daemon=True)
    file = tmp_path / "keys.log"
    file.write_text("CLIENT_RANDOM of another day\n")
    context = client_context()
    context.keylog_filename = file
    run(client, ask_blocking, context)
    assert context.keylog_filename == file
    mine = file.read_text().splitlines()
    assert set(trace.secrets) == {line for line in mine[1:] if not line.startswith("#")}
    assert trace.secrets


def test_each_run_of_a_network_adds_its_secrets(tmp_path):
    client, server, trace = recorded()
    spawn(server, serve_blocking, daemon=True)
    run(client, lambda: ask_blocking(client_context()))
    once = len(trace.secrets)
    spawn(server, serve_blocking, daemon=True)
    run(client, lambda: ask_blocking(client_context()))
    assert len(trace.secrets) == 2 * once > 0
    path = tmp_path / "two.pcapng"
    assert write_pcapng(trace, path) == len(read_capture(path))
