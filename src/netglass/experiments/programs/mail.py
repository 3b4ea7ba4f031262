"""Mail: aiosmtpd takes letters, smtplib of the standard library brings one."""

from __future__ import annotations

import asyncio
import smtplib
from typing import Any

from aiosmtpd.smtp import SMTP


class Box:
    """Keeps letters to people of this server, and no others."""

    def __init__(self, letters: list[str]) -> None:
        self.letters = letters

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if not address.endswith("@server"):
            return "550 No such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.letters.append(envelope.content.decode())
        return "250 Kept"


async def serve_for_ever(letters: list[str]) -> None:
    def take_one() -> Any:
        return SMTP(Box(letters), hostname="server", ident="ready")

    server = await asyncio.get_running_loop().create_server(take_one, "0.0.0.0", 25)
    await server.serve_forever()


def serve(letters: list[str]) -> None:
    asyncio.run(serve_for_ever(letters))


def send(letter: str) -> dict[str, tuple[int, bytes]]:
    """Sends a letter from Ann to Ben and Eve. Who was refused, and why."""
    with smtplib.SMTP("server", timeout=300) as client:
        return client.sendmail("ann@client", ["ben@server", "eve@nowhere"], letter)
