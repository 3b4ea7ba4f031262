"""A stub resolver: names that no host of the lab has are looked for on DNS servers, over the host's own sockets.

As glibc does it (resolv/res_send.c, res_query.c): both kinds of address are asked for at once, over UDP, and over TCP
where an answer is cut off; a server that is silent, or cannot help, gives way to the next. What is no answer to the
question is ignored. Nothing is kept for the next time.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final, NamedTuple

from netglass.programs import dns
from netglass.programs.chance import urandom
from netglass.programs.descriptors import active
from netglass.sockets.resolver import Resolver
from netglass.times import SECOND

# netdb.h
HOST_NOT_FOUND: Final = 1
TRY_AGAIN: Final = 2
NO_RECOVERY: Final = 3
NO_DATA: Final = 4

_PORT: Final = 53
_CANNOT_HELP: Final = (dns.SERVER_FAILURE, dns.NOT_IMPLEMENTED, dns.REFUSED)


class Found(NamedTuple):
    """`code` is 0, or why there is nothing (netdb.h); `name` is the one at the end of all `aliases`."""

    code: int
    name: str = ""
    data: tuple[str, ...] = ()  # addresses, or names
    aliases: tuple[str, ...] = ()


def look_up(resolver: Resolver, name: str, kinds: tuple[int, ...]) -> Found:
    """`name` as it is and below the resolver's domains, in the order that its dots ask for."""
    plain = name.removesuffix(".")
    if plain != name:
        return ask(resolver, plain, kinds)
    longer = [f"{plain}.{domain}" for domain in resolver.search]
    plain_first = plain.count(".") >= resolver.ndots
    codes: list[int] = []
    for each in [plain, *longer] if plain_first else [*longer, plain]:
        found = ask(resolver, each, kinds)
        if not found.code:
            return found
        codes.append(found.code)
    return Found(codes[0] if plain_first else _worst(codes))


def _worst(codes: list[int]) -> int:
    for code in (NO_DATA, TRY_AGAIN, NO_RECOVERY):
        if code in codes:
            return code
    return HOST_NOT_FOUND


def ask(resolver: Resolver, name: str, kinds: tuple[int, ...]) -> Found:
    """Asks the servers in turn for exactly this name."""
    questions: dict[int, bytes] = {}
    for kind in kinds:
        message = dns.question(int.from_bytes(urandom(2), "big"), name, kind)
        if message is None:
            return Found(HOST_NOT_FOUND)
        questions[kind] = message
    answers: dict[int, dns.Answer] = {}
    count = len(resolver.servers)
    for number in range(count * resolver.attempts):
        place = number % count
        timeout = (resolver.timeout << place) // (count if place else 1)
        open_questions = {kind: questions[kind] for kind in kinds if kind not in answers}
        heard = ask_server(resolver.servers[place], open_questions, timeout)
        answers |= {kind: answer for kind, answer in heard.items() if answer.code not in _CANNOT_HELP}
        if len(answers) == len(kinds) or (answers and len(heard) == len(open_questions)):
            break
    return _outcome(name.lower(), kinds, answers)


def _outcome(name: str, kinds: tuple[int, ...], answers: dict[int, dns.Answer]) -> Found:
    codes = {answers[kind].code if kind in answers else dns.SERVER_FAILURE for kind in kinds}
    found = [_chased(name, kind, answers[kind].records) for kind in kinds if kind in answers]
    data = tuple([each for part in found for each in part.data])
    if data:
        return Found(0, found[0].name, data, found[0].aliases)
    if dns.SERVER_FAILURE in codes:
        return Found(TRY_AGAIN)
    if dns.NO_SUCH_NAME in codes:
        return Found(HOST_NOT_FOUND)
    return Found(NO_DATA if codes == {dns.NO_ERROR} else NO_RECOVERY)


def _chased(name: str, kind: int, records: tuple[dns.Record, ...]) -> Found:
    """What of this kind the name has, at the end of its aliases."""
    targets = {each.name: each.data for each in records if each.kind == dns.CNAME}
    aliases: list[str] = []
    while name in targets and name not in aliases:
        aliases.append(name)
        name = targets[name]
    data = [each.data for each in records if each.kind == kind and each.name == name]
    return Found(0, name, tuple(data), tuple(aliases))


# -- one server


def ask_server(server: str, questions: dict[int, bytes], timeout: int) -> dict[int, dns.Answer]:
    """The answers that come within `timeout` (ns), by kind; none if the server cannot be reached."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    answers: dict[int, dns.Answer] = {}
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as link:
        _ask_briefly(link, server, questions, timeout, answers)
    for kind in [kind for kind, answer in answers.items() if answer.truncated]:
        del answers[kind]
        with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as link:
            answers[kind] = _ask_at_length(link, server, questions[kind], timeout)
    return answers


def _ask_briefly(
    link: socket.socket, server: str, questions: dict[int, bytes], timeout: int, answers: dict[int, dns.Answer]
) -> None:
    deadline = active().now() + timeout
    link.connect((server, _PORT))
    for message in questions.values():
        link.send(message)
    while len(answers) < len(questions):
        link.settimeout(_seconds_to(deadline))
        _take(answers, questions, link.recv(65535))


def _take(answers: dict[int, dns.Answer], questions: dict[int, bytes], message: bytes) -> None:
    for kind, question in questions.items():
        answer = dns.parse(message, question)
        if answer is not None and kind not in answers:
            answers[kind] = answer


def _ask_at_length(link: socket.socket, server: str, question: bytes, timeout: int) -> dns.Answer:
    """Over TCP (RFC 7766): each message behind its length."""
    link.settimeout(timeout / SECOND)
    link.connect((server, _PORT))
    link.sendall(len(question).to_bytes(2, "big") + question)
    with link.makefile("rb") as stream:
        size = int.from_bytes(stream.read(2), "big")
        answer = dns.parse(stream.read(size), question)
    if answer is None:
        raise ConnectionError("not an answer to the question")
    return answer


def _seconds_to(deadline: int) -> float:
    left = deadline - active().now()
    if left <= 0:
        raise TimeoutError
    return left / SECOND
