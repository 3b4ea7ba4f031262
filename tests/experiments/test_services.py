"""What the experiments with programs of others must show: FTP, SMTP, DNS, HTTP."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from netglass.errors import MisuseError
from netglass.experiments import by_name
from netglass.experiments.experiment import Outcome
from netglass.times import MILLISECOND, SECOND
from netglass.trace import write_pcapng

MS = MILLISECOND

# pyftpdlib imports modules that are deprecated; ftplib forgets its listening socket when PORT fails.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The asyn.* module is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


def show(name: str, **given: int | str) -> Outcome:
    experiment = by_name(name)
    for module in experiment.needs:
        pytest.importorskip(module)
    return experiment.run(**given)


def figures(name: str, **given: int | str) -> dict[str, Any]:
    return show(name, **given).figures


def arrows(outcome: Outcome, part: int) -> list[str]:
    return [each.kind for each in outcome.parts[part].ladder().arrows()]


# -- FTP: without a firewall, with one at the client, with one at the server


def test_active_ftp_is_two_connections_in_two_directions() -> None:
    outcome = show("ftp-active", size=5000)
    commands, data = outcome.figures["connections"]
    assert (commands["opener"], commands["to_port"]) == ("client", 21)
    assert (data["opener"], data["port"]) == ("server", 20)
    assert outcome.figures["outcomes"][0] == "5000 bytes"
    high, low = divmod(data["to_port"], 256)
    assert (
        f'"PORT 10,0,0,1,{high},{low}": it listens at 10.0.0.1, port 256 x {high} + {low} = {data["to_port"]}'
        in outcome.answer
    )
    assert arrows(outcome, 0).count("syn") == 2


def test_active_ftp_ends_at_a_firewall_of_the_client() -> None:
    outcome = show("ftp-active")
    seen = outcome.figures
    assert seen["outcomes"][1:] == ["error_temp: 421 Active data channel timed out.", "1000 bytes"]
    assert seen["dropped"] == [0, 5, 0]
    assert seen["data_syns_at_client"] == [0, 1 * SECOND, 3 * SECOND, 7 * SECOND, 15 * SECOND]
    assert seen["took"][1] == 30 * SECOND + 40 * MS
    assert [each.lost for each in outcome.parts[1].ladder().arrows() if each.kind == "syn"] == ["firewall"] * 5
    texts = [each.text for each in outcome.parts[1].ladder().remarks()]
    assert texts[0].startswith('"PORT ')
    assert '"421 Active data channel timed out."' in texts


def test_passive_ftp_is_two_connections_of_the_client() -> None:
    outcome = show("ftp-passive")
    commands, data = outcome.figures["connections"]
    assert (commands["opener"], commands["to_port"]) == ("client", 21)
    assert data["opener"] == "client"
    assert data["to_port"] > 1023
    high, low = divmod(data["to_port"], 256)
    assert f"(10,0,0,2,{high},{low})" in outcome.answer


def test_passive_ftp_ends_at_a_firewall_of_the_server() -> None:
    seen = figures("ftp-passive", patience="40s")
    assert seen["outcomes"] == ["1000 bytes", "1000 bytes", "TimeoutError: timed out"]
    assert seen["dropped"] == [0, 0, 6]
    assert seen["data_syns_at_server"] == [0, 1 * SECOND, 3 * SECOND, 7 * SECOND, 15 * SECOND, 31 * SECOND]
    assert seen["took"][2] == 40 * SECOND + 40 * MS  # two round trips, then the patience of the client


def test_sentences_fit_their_numbers() -> None:
    assert "Result: 1 byte, after" in show("ftp-passive", size=1).answer
    assert "1 segment was lost" in show("smtp", lose=1).answer
    assert "1 query was lost" in show("dns").answer
    assert "2 queries were lost" in show("dns", losses=2).answer


def test_a_client_that_is_less_patient_than_the_server_ends_the_transfer_itself() -> None:
    seen = figures("ftp-active", patience="5s")
    assert seen["outcomes"][1] == "TimeoutError: timed out"
    assert seen["dropped"][1] == 3


# -- SMTP


def test_lines_of_a_letter_and_segments_are_two_things() -> None:
    seen = figures("smtp")
    assert (seen["letter_lines"], seen["letter_segments"]) == (6, 1)  # a head, an empty line, three lines and the dot
    assert seen["feature_lines"] == seen["feature_segments"] == 4
    assert seen["lines"] > seen["segments"]
    assert seen["took"] == 180 * MS == (1 + 1 + seen["client_turns"]) * 20 * MS
    assert figures("smtp", **{"lines-of-text": 300})["letter_segments"] == 3  # 3,000 bytes


def test_a_dot_is_doubled_on_the_wire_and_single_in_the_letter() -> None:
    outcome = show("smtp")
    assert outcome.figures["dot_doubled"]
    assert outcome.figures["arrived_as_sent"]
    assert '"..netrc is a file."' in [each.text for each in outcome.parts[0].ladder().remarks()]


def test_the_picture_goes_on_until_the_connection_is_closed() -> None:
    trace = show("smtp").parts[0].trace
    assert [trace.states(host)[-1] for host in ("client", "server")] == ["TIME-WAIT", "TIME-WAIT"]


def test_one_recipient_is_refused_and_the_letter_goes_to_the_other() -> None:
    assert figures("smtp")["refused"] == {"eve@nowhere": 550}


@pytest.mark.parametrize("lose", range(1, 8))
def test_a_letter_arrives_whichever_segment_of_its_sender_is_lost(lose: int) -> None:
    seen = figures("smtp", lose=lose)
    assert (seen["lost"], seen["arrived_as_sent"], seen["client_turns"]) == (1, True, 7)
    assert seen["took"] > 180 * MS


def test_a_segment_that_is_not_there_cannot_be_lost() -> None:
    with pytest.raises(
        MisuseError, match="--lose is one of the client's segments with data, 1 to 7 with such a letter; this is 8"
    ):
        show("smtp", lose=8)


# -- DNS


def test_a_lost_query_is_asked_again_by_the_program_from_another_port() -> None:
    outcome = show("dns")
    seen = outcome.figures
    assert seen["answers"] == {"www.test": "192.0.2.1", "nobody.test": "NXDOMAIN", "many.test": "60 addresses"}
    first, second = seen["queries"]
    assert 2 * SECOND <= second - first < 3 * SECOND
    assert seen["took"]["www.test"] == second - first + 20 * MS
    assert len(set(seen["ports"])) == 4
    assert "www.test CNAME web.test, web.test A 192.0.2.1" in [
        each.text for each in outcome.parts[0].ladder().remarks()
    ]


def test_without_a_loss_a_name_costs_one_round_trip() -> None:
    outcome = show("dns", losses=0)
    assert outcome.figures["took"]["www.test"] == outcome.figures["took"]["nobody.test"] == 20 * MS
    assert "try --losses 1" in outcome.answer


def test_the_program_gives_up_when_its_patience_ends() -> None:
    seen = figures("dns", losses=9, patience="3s")
    assert seen["answers"]["www.test"] == "LifetimeTimeout"
    assert 3 * SECOND <= seen["took"]["www.test"] < 4 * SECOND


def test_an_answer_that_is_too_long_is_asked_for_again_over_tcp() -> None:
    outcome = show("dns")
    assert outcome.figures["took"]["many.test"] == 60 * MS  # over UDP, a handshake, over TCP
    assert outcome.figures["large_bytes"] > 512
    kinds = arrows(outcome, 0)
    assert kinds[-1] != "udp" == kinds[0]
    assert kinds.count("syn") == 1


# -- HTTP: a cookie in the browser, a session on the server


def test_a_session_outlives_its_connection_and_a_browser_without_the_cookie_is_a_stranger() -> None:
    outcome = show("http-session")
    seen = outcome.figures
    assert [each["answer"] for each in seen["visits"]] == [
        "I do not know you",
        "Welcome, Ann",
        "Hello Ann, visit 1",
        "Hello Ann, visit 2",
        "I do not know you",
        "Hello Ann, visit 3",
    ]
    assert seen["connections"] == 4
    assert seen["known"] == ["Ann", "Ann again", "Eve, with Ann's cookie"]


def test_the_cookie_that_the_server_sets_is_what_the_browser_sends() -> None:
    outcome = show("http-session")
    (told,) = outcome.figures["set_cookie"]
    sent = {each["cookie"] for each in outcome.figures["visits"] if each["cookie"]}
    assert len(sent) == 1
    assert told == f"Set-Cookie: {sent.pop()}; HttpOnly; Path=/"
    notes = [each.text for each in outcome.parts[0].trace.notes("client", "words")]
    assert len([text for text in notes if text.startswith('"Cookie: session=')]) == outcome.figures["cookies_sent"] == 3


def test_a_server_forgets_who_was_away_for_too_long() -> None:
    outcome = show("http-session", pause="1h")
    assert outcome.figures["known"] == ["Ann"]
    assert "forgets who was away for more than 30 min" in outcome.answer
    assert figures("http-session", pause="1h", lifetime="2h")["known"][1] == "Ann again"


# -- HTML and XML


def test_content_type_says_what_the_same_bytes_are() -> None:
    html, text, xml, _ = figures("html-and-xml")["pages"]
    assert html["size"] == text["size"] == xml["size"] == 62
    assert [each["content_type"].partition(";")[0] for each in (html, text, xml)] == [
        "text/html",
        "text/plain",
        "application/xml",
    ]
    assert html["found"] == "a list of Soup and Crêpe"
    assert text["found"] == "text: <!DOCTYPE ..."
    assert xml["found"].startswith("nothing: mismatched tag: line 6")


def test_a_length_counts_bytes_and_chunks_do_without_one() -> None:
    outcome = show("html-and-xml")
    seen = outcome.figures
    html, stream = seen["pages"][0], seen["pages"][3]
    assert (html["framing"], seen["letters"]) == ("Content-Length: 62", 61)
    assert stream["framing"] == "Transfer-Encoding: chunked"
    assert stream["found"] == "Soup for 4 and Crêpe for 6"
    assert seen["chunks"][-1] == 0
    assert sum(seen["chunks"]) == stream["size"] < seen["chunked_bytes"]
    assert seen["connections"] == 1  # each answer says where it ends
    told = [each.text for each in outcome.parts[0].ladder().remarks()]
    assert '"1c"' in told
    assert told.count("and the same 62 bytes") == 2


def test_chunks_are_sent_when_they_are_made() -> None:
    quick, slow = show("html-and-xml", apart="0s"), show("html-and-xml", apart="2s")
    assert quick.figures["chunks"] == slow.figures["chunks"]
    began, *_, ended = [
        each.time for each in slow.parts[0].trace.notes("server", "words") if each.text in ('"7"', '"0"')
    ]
    assert ended - began > 8 * SECOND - 100 * MS


# -- all of them


@pytest.mark.tshark
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ftp-active", "ftp.active.port"),
        ("ftp-passive", "ftp.response.code == 227"),
        ("smtp", "smtp.req.command == rcpt"),
        ("dns", "dns.flags.rcode == 3"),
        ("http-session", "http.set_cookie"),
        ("html-and-xml", "http.transfer_encoding == chunked"),
    ],
)
def test_wireshark_knows_the_protocol(name: str, shown: str, tmp_path: Path) -> None:
    path = tmp_path / "capture.pcapng"
    write_pcapng(show(name).parts[0].trace, path, "client")
    command = ["tshark", "-r", str(path), "-Y", shown, "-T", "fields", "-e", "frame.number"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
