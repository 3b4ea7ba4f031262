"""The standard library's own clients and servers."""

from __future__ import annotations

import concurrent.futures
import http.client
import http.server
import imaplib
import poplib
import socketserver
import urllib.request
import xmlrpc.client
import xmlrpc.server

from tests.compatibility.scene import BLOB, Scene, scenario


class Pages(http.server.BaseHTTPRequestHandler):
    """GET gives the path and 40 KiB, POST gives back what came, in chunks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.path.encode() + BLOB
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), 4000):
            piece = body[start : start + 4000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *arguments):
        pass


def serve_pages() -> None:
    with http.server.ThreadingHTTPServer(("", 80), Pages) as server:
        server.serve_forever()


@scenario("http.server")
def http_server(scene: Scene) -> None:
    """`ThreadingHTTPServer`; `http.client` keeps one connection for a GET and a chunked POST, then four threads of an
    executor open a page each with `urllib.request`."""

    def page(number: int) -> bytes:
        with urllib.request.urlopen(f"http://server/{number}") as answer:
            return answer.read()

    def ask():
        connection = http.client.HTTPConnection("server", timeout=100)
        connection.request("GET", "/one")
        first = connection.getresponse().read()
        connection.request("POST", "/two", body=BLOB)
        answer = connection.getresponse()
        second = answer.status, answer.read()
        connection.close()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return first, second, list(pool.map(page, range(4)))

    scene.serve(serve_pages)
    assert scene.ask(ask) == (b"/one" + BLOB, (201, BLOB), [b"/%d" % number + BLOB for number in range(4)])


@scenario("xmlrpc")
def xmlrpc_(scene: Scene) -> None:
    """`SimpleXMLRPCServer` and `ServerProxy`: three calls over one connection, one of which gives 40 KiB back, and a
    fault."""

    def serve():
        with xmlrpc.server.SimpleXMLRPCServer(("", 8000), logRequests=False, use_builtin_types=True) as server:
            server.register_function(lambda x, y: x**y, "pow")
            server.register_function(lambda data: data[::-1], "reverse")
            server.serve_forever()

    def ask():
        with xmlrpc.client.ServerProxy("http://server:8000", use_builtin_types=True) as proxy:
            try:
                proxy.pow("a", "b")
            except xmlrpc.client.Fault as fault:
                told = fault.faultString
            return proxy.pow(2, 10), proxy.reverse(BLOB), told

    scene.serve(serve)
    power, reverse, told = scene.ask(ask)
    assert (power, reverse) == (1024, BLOB[::-1])
    assert "TypeError" in told


LETTER = b"Subject: hello\r\n\r\n" + b"".join(b"line %d\r\n" % number for number in range(3000))


class Pop(socketserver.StreamRequestHandler):
    """As much of RFC 1939 as the scenario needs: a box with one letter."""

    def handle(self):
        self.wfile.write(b"+OK ready\r\n")
        while line := self.rfile.readline().split():
            command = line[0].upper()
            if command == b"RETR":
                self.wfile.write(b"+OK\r\n" + LETTER + b".\r\n")
            elif command == b"STAT":
                self.wfile.write(b"+OK 1 %d\r\n" % len(LETTER))
            elif command == b"DELE" and line[1] != b"1":
                self.wfile.write(b"-ERR no such letter\r\n")
            else:
                self.wfile.write(b"+OK\r\n")
            if command == b"QUIT":
                return


@scenario("poplib")
def poplib_(scene: Scene) -> None:
    """`POP3` against a small `socketserver`: log in, count, fetch a letter of 3,000 lines, be refused one."""

    def serve():
        with socketserver.ThreadingTCPServer(("", 110), Pop) as server:
            server.serve_forever()

    def ask():
        box = poplib.POP3("server", timeout=100)
        box.user("me")
        box.pass_("secret")
        count = box.stat()
        lines = box.retr(1)[1]
        try:
            box.dele(2)
        except poplib.error_proto as error:
            refused = str(error)
        box.quit()
        return count, lines, refused

    scene.serve(serve)
    count, lines, refused = scene.ask(ask)
    assert count == (1, len(LETTER))
    assert lines == LETTER.splitlines()
    assert "no such letter" in refused


class Imap(socketserver.StreamRequestHandler):
    """As much of RFC 3501 as the scenario needs: an inbox with one letter, literals both ways."""

    def handle(self):
        self.wfile.write(b"* OK ready\r\n")
        while line := self.rfile.readline().split():
            tag, command = line[0], line[1].upper()
            if command == b"CAPABILITY":
                self.wfile.write(b"* CAPABILITY IMAP4REV1\r\n")
            elif command == b"SELECT":
                self.wfile.write(b"* 1 EXISTS\r\n")
            elif command == b"FETCH":
                self.wfile.write(b"* 1 FETCH (RFC822 {%d}\r\n" % len(LETTER) + LETTER + b")\r\n")
            elif command == b"APPEND":
                self.wfile.write(b"+ go on\r\n")
                self.rfile.read(int(line[-1][1:-1]))
                self.rfile.readline()
                self.wfile.write(b"* 2 EXISTS\r\n")
            elif command == b"LOGOUT":
                self.wfile.write(b"* BYE\r\n")
            self.wfile.write(tag + b" OK done\r\n")


@scenario("imaplib")
def imaplib_(scene: Scene) -> None:
    """`IMAP4` against a small `socketserver`: log in, select, fetch a letter of 3,000 lines, append one."""

    def serve():
        with socketserver.ThreadingTCPServer(("", 143), Imap) as server:
            server.serve_forever()

    def ask():
        with imaplib.IMAP4("server", timeout=100) as box:
            box.login("me", "secret")
            count = list(box.select()[1])  # it would grow with what APPEND tells
            letter = box.fetch("1", "(RFC822)")[1][0][1]
            appended = box.append("INBOX", "", "", LETTER)[0]
            return count, letter, appended

    scene.serve(serve)
    assert scene.ask(ask) == ([b"1"], LETTER, "OK")
