"""`netglass sockets`: this machine's, and those that a page tells."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner, Result

from netglass.cli.app import app


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, ["sockets", *words])


def test_this_machines_listener_is_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = ask("--state", "listen")
        as_json = json.loads(ask("--json").stdout)["sockets"]
    lines = [line.split() for line in done.stdout.splitlines() if f"127.0.0.1:{port}" in line]
    assert lines == [["tcp", "0", "0", f"127.0.0.1:{port}", "0.0.0.0:*", "LISTEN", "off", "(0.00/0/0)"]]
    assert "LISTEN" in done.stderr
    assert [each["state"] for each in as_json if each["local_port"] == port] == ["LISTEN"]


@pytest.fixture
def page():
    """A web server on the loopback: (its URL, what it answers)."""
    body: list[bytes] = [b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/sockets.json" else 404)
            self.send_header("Content-Length", str(len(body[0])))
            self.end_headers()
            self.wfile.write(body[0])

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", body
        server.shutdown()
        thread.join()


LINE = {
    "proto": "tcp",
    "local": "10.83.0.2",
    "local_port": 80,
    "remote": "10.83.0.1",
    "remote_port": 40000,
    "state": "SYN-RECEIVED",
    "recv_q": 0,
    "send_q": 0,
    "timer": "syn-ack",
    "timer_left_ns": 1_000_000_000,
    "retries": 2,
}


def test_a_page_of_ours(page):
    url, body = page
    body[0] = json.dumps({"sockets": [LINE]}).encode()
    done = ask("--url", url)
    assert done.stdout.splitlines()[1].split() == [
        *("tcp", "0", "0", "10.83.0.2:80", "10.83.0.1:40000", "SYN_RECV", "on", "(1.00/2/0)")
    ]
    assert done.stderr == "1 socket: 1 SYN_RECV\n"
    assert json.loads(ask("--url", url, "--json").stdout) == {"sockets": [LINE]}
    assert json.loads(ask("--url", url, "--json", "--state", "ESTABLISHED").stdout) == {"sockets": []}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "{", '{"sockets": 3}', '{"sockets": [{}]}'),
        json.dumps({"sockets": [{**LINE, "local": "nowhere"}]}),
        json.dumps({"sockets": [{**LINE, "state": "\x1b[2J"}]}),
        json.dumps({"sockets": [{**LINE, "retries": "2"}]}),
        json.dumps({"sockets": [{**LINE, "recv_q": True}]}),
    ],
)
def test_another_page_is_refused(page, text: str):
    url, body = page
    body[0] = text.encode()
    done = ask("--url", url)
    assert done.exit_code == 2
    assert "this is no list of sockets" in done.stderr


def test_nobody_there_and_no_such_page(page):
    url, _ = page
    assert "404" in ask("--url", f"{url}/other").stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "Connection refused" in ask("--url", f"http://127.0.0.1:{port}/").stderr
