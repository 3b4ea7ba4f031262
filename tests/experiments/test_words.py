"""Sentences that hold for whatever was asked: numbers of one, of none, and questions that nothing answers."""

from __future__ import annotations

import pytest

from netglass.errors import MisuseError
from netglass.experiments import by_name


def answer(name, **given):
    return by_name(name).run(**given).answer


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("lost-third-ack-client-first", {}, "there are no RSTs here"),
        ("accept-queue-full", {}, "the SYN-ACK, first sent at 81 ms, comes again at"),
        ("accept-queue-full", {"busy": "900ms"}, "the ACK is ignored (once)"),
        ("accept-queue-full", {"busy": "0s"}, "The server accepted at once: too early"),
        ("simultaneous-open", {"apart": "50ms"}, "answered with a RST (ECONNREFUSED for both ends)"),
        ("simultaneous-close", {}, "Both ends are in TIME-WAIT"),
        ("simultaneous-close", {"later": "1s"}, "Of the two ends only the client is in TIME-WAIT"),
        ("unread-data-resets", {"body": 1}, "while 1 byte lay unread"),
        ("retransmission-timeout", {"losses": 1}, "knows nothing of 1 loss."),
        ("fast-retransmit", {"segments": 3, "lost": 3}, "C is lost. Nothing arrived behind it: fewer"),
        ("fast-retransmit", {"segments": 4, "lost": 3}, "1 duplicate ACK, of which 1 also names"),
        ("fast-retransmit", {"segments": 1, "lost": 1}, "1 segment goes out at once"),
        ("reordering", {"overtake": 1}, "sends 1 duplicate ACK, and"),
        ("reordering", {"by": "0s"}, "nothing is sent again"),
        ("slow-start", {"initial": 1, "kilobytes": 30}, "begins with 1 segment (RFC 6928: ten)"),
        ("slow-start", {"initial": 1, "kilobytes": 30}, "try --lost 21."),
        ("slow-start", {"kilobytes": 2}, "1 round trip, whatever"),
        ("reset", {}, "one outside of it is dropped without a word"),
    ],
)
def test_a_sentence_fits_its_numbers(name, given, told):
    assert told in answer(name, **given)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("slow-start", {"kilobytes": 30, "lost": 40}, "--lost is one of the segments, 1 to 21 with 30 kB; this is 40"),
        ("linger", {"time": "1500ms"}, "whole seconds, such as 1s; not 1500ms"),
    ],
)
def test_what_cannot_happen_is_told(name, given, told):
    with pytest.raises(MisuseError, match=told):
        answer(name, **given)


def test_every_way_between_states_is_walked_or_explained():
    table = by_name("states").run().table
    assert table is not None
    assert [row for row in table.rows if not row[1]] == []
