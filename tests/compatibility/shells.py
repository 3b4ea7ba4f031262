"""Files and shells on another machine."""

from __future__ import annotations

import asyncio
import ftplib
import io
import logging
import socket
import tempfile
import threading
from pathlib import Path

from tests.compatibility.scene import BLOB, Scene, scenario


@scenario("pyftpdlib", "pyftpdlib")
def pyftpdlib_(scene: Scene) -> None:
    """Its server with its own loop; `ftplib` stores 40 KiB, lists and fetches them, passive and active."""
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

    class Handler(FTPHandler):
        authorizer = DummyAuthorizer()

    def serve() -> None:
        logging.getLogger("pyftpdlib").setLevel(logging.ERROR)
        # A loop of its own: without one it takes that of the process, which would be that of the run before.
        FTPServer(("0.0.0.0", 21), Handler, ioloop=IOLoop()).serve_forever(handle_exit=False)

    def fetch(client: ftplib.FTP) -> bytes:
        got = io.BytesIO()
        client.retrbinary("RETR blob", got.write)
        return got.getvalue()

    def ask() -> object:
        with ftplib.FTP("server", "me", "secret", timeout=100) as client:
            client.storbinary("STOR blob", io.BytesIO(BLOB))
            names = client.nlst()
            passive = fetch(client)
            client.set_pasv(False)
            return names, passive, fetch(client)

    with tempfile.TemporaryDirectory() as folder:
        Handler.authorizer.add_user("me", "secret", folder, perm="elradfmw")
        scene.serve(serve)
        assert scene.ask(ask) == (["blob"], BLOB, BLOB)
        assert Path(folder, "blob").read_bytes() == BLOB


@scenario("asyncssh", "asyncssh")
def asyncssh_(scene: Scene) -> None:
    """Its server and client: a password, a command that answers in capitals, a forwarded port."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")

    class Door(asyncssh.SSHServer):
        def begin_auth(self, username):
            return True

        def password_auth_supported(self):
            return True

        def validate_password(self, username, password):
            return (username, password) == ("me", "secret")

        def connection_requested(self, *where):
            return True

    async def work(process) -> None:
        text = await process.stdin.read()
        process.stdout.write(f"{process.command} {text.upper()}")
        process.exit(3)

    async def answer(reader, writer) -> None:
        writer.write(b"behind the door")
        writer.close()

    async def serve() -> None:
        inner = await asyncio.start_server(answer, "127.0.0.1", 99)
        door = await asyncssh.create_server(Door, "0.0.0.0", 22, server_host_keys=[key], process_factory=work)
        async with inner, door:
            await asyncio.Event().wait()

    async def ask() -> object:
        trusted = asyncssh.import_known_hosts(f"server {key.export_public_key().decode()}")
        options = {"username": "me", "known_hosts": trusted, "config": None, "client_keys": None, "agent_path": None}
        try:
            await asyncssh.connect("server", password="wrong", **options)
        except asyncssh.PermissionDenied:
            refused = True
        async with asyncssh.connect("server", password="secret", **options) as connection:
            done = await connection.run("work", input="hello " * 5000)
            reader, writer = await connection.open_connection("127.0.0.1", 99)
            forwarded = await reader.read()
            writer.close()
            return refused, done.stdout, done.exit_status, forwarded

    scene.serve(serve)
    assert scene.ask(ask) == (True, "work " + "HELLO " * 5000, 3, b"behind the door")


@scenario("paramiko", "paramiko")
def paramiko_(scene: Scene) -> None:
    """Its server side and `SSHClient`: a password, a command with 40 KiB to and fro and an exit status."""
    import paramiko

    key = paramiko.ECDSAKey.generate()

    class Door(paramiko.ServerInterface):
        def __init__(self) -> None:
            self.asked = threading.Event()

        def check_auth_password(self, username, password):
            right = (username, password) == ("me", "secret")
            return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

        def check_channel_request(self, kind, chanid):
            return paramiko.OPEN_SUCCEEDED

        def check_channel_exec_request(self, channel, command):
            self.asked.set()
            return True

    def work(connection) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(key)
        door = Door()
        transport.start_server(server=door)
        channel = transport.accept(60)
        if channel is None:
            return
        door.asked.wait()
        data = channel.makefile("rb").read()
        channel.sendall(data[::-1])
        channel.send_exit_status(3)
        channel.close()

    def serve() -> None:
        with socket.create_server(("", 22)) as listener:
            while True:
                threading.Thread(target=work, args=(listener.accept()[0],), daemon=True).start()

    def connect(password: str) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.get_host_keys().add("server", key.get_name(), key)
        client.connect("server", username="me", password=password, allow_agent=False, look_for_keys=False)
        return client

    def ask() -> object:
        try:
            connect("wrong")
        except paramiko.AuthenticationException:
            refused = True
        with connect("secret") as client:
            stdin, stdout, _ = client.exec_command("work")
            stdin.write(BLOB)
            stdin.channel.shutdown_write()
            return refused, stdout.read(), stdout.channel.recv_exit_status()

    scene.serve(serve)
    assert scene.ask(ask) == (True, BLOB[::-1], 3)
