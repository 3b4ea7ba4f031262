"""Mail."""

from __future__ import annotations

import smtplib
import threading
from email.message import EmailMessage

from tests.compatibility.scene import Scene, scenario


@scenario("aiosmtpd", "aiosmtpd")
def aiosmtpd_(scene: Scene) -> None:
    """Its `Controller`, a loop in a thread that first connects to itself; `smtplib` sends a letter of 2,000 lines and
    is refused a recipient."""
    from aiosmtpd.controller import Controller

    letters: list[tuple[str, list[str], bytes]] = []

    class Box:
        async def handle_RCPT(self, server, session, envelope, address, options):
            if not address.endswith("@server.test"):
                return "550 not here"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):
            letters.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
            return "250 kept"

    def serve() -> None:
        Controller(Box(), hostname="0.0.0.0", port=25).start()
        threading.Event().wait()

    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = "hello", "me@client.test", "you@server.test"
    letter.set_content("".join([f"line {number}\n" for number in range(2000)]))

    def ask() -> object:
        with smtplib.SMTP("server", timeout=100) as client:
            return client.send_message(letter, to_addrs=["you@server.test", "you@elsewhere.test"])

    scene.serve(serve)
    assert scene.ask(ask) == {"you@elsewhere.test": (550, b"not here")}
    assert [(sender, to) for sender, to, _ in letters] == [("me@client.test", ["you@server.test"])]
    assert b"line 1999\r\n" in letters[0][2]
