"""What the experiments with programs of others must show: FTP, SMTP, DNS, HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from netglass.experiments import by_name
from netglass.experiments.experiment import Outcome
from netglass.times import MILLISECOND, SECOND

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


def test_a_client_that_is_less_patient_than_the_server_ends_the_transfer_itself() -> None:
    seen = figures("ftp-active", patience="5s")
    assert seen["outcomes"][1] == "TimeoutError: timed out"
    assert seen["dropped"][1] == 3
