"""The page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser

import pytest

from netglass import faults, match
from netglass.trace import Ladder
from netglass.wire.ip import IpPacket
from tests.trace.scenes import conversation, handshake


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.open = []
        self.texts = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "br"):
            self.open.append((tag, dict(attributes).get("id")))

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def test_it_is_whole_and_loads_nothing():
    text = Ladder.of(conversation(faults.drop(match.syn))).html("A <lost> SYN", "First.\n\nSecond & last.")
    page = Page(text)
    assert page.open == []
    assert page.texts[("h1", None)] == ["A <lost> SYN"]
    assert page.texts[("p", None)][:2] == ["First.", "Second & last."]
    assert not [tag for tag, attributes in page.tags if attributes.keys() & {"src", "href"}]
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text


def test_the_title_has_lines_and_a_table_is_shown():
    text = Ladder.of(handshake()).html("Why <so>?\nbecause", table=(("a", "b"), [("1 < 2", "x"), ("3", "y")]))
    page = Page(text)
    assert page.texts[("h1", None)] == ["Why <so>?"]
    assert page.texts[("h2", None)] == ["because"]
    assert page.texts[("title", None)][0] == "Why <so>?: because"
    assert [page.texts[("th", None)], page.texts[("td", None)]] == [["a", "b"], ["1 < 2", "x", "3", "y"]]


def test_it_knows_every_arrow():
    ladder = Ladder.of(conversation())
    page = Page(ladder.html())
    (data,) = page.texts[("script", "arrows")]
    arrows = json.loads(data)
    shapes = [attributes for tag, attributes in page.tags if attributes.get("class") == "ng-arrow"]
    assert len(arrows) == len(shapes) == len(ladder.arrows())
    assert all(shape["tabindex"] == "0" for shape in shapes)
    syn, syn_ack = arrows[:2]
    assert syn["packet"]["options"] == ["MSS 1460", "SACK permitted", syn["packet"]["options"][2], "window scale 7"]
    assert (syn["sender"]["state"], syn["receiver"]) == ("SYN-SENT", None)
    assert (syn_ack["receiver"]["state"], syn_ack["receiver"]["RCV.NXT"], syn_ack["receiver"]["SND.UNA"]) == (
        "ESTABLISHED",
        1,
        1,
    )


def test_what_is_said_in_a_trace_cannot_become_markup():
    trace = handshake()
    trace.note("client", "shell", "</script><script>alert(1)</script>", 0)
    packet = trace.transmissions()[0].packet
    assert isinstance(packet, IpPacket)
    trace.carried("x", "client", "</script>", 9, packet, None, 0, 5, "</script><b>")
    text = Ladder.of(trace).html()
    assert text.count("</script>") == 2
    assert "<b>" not in text


@pytest.mark.chromium
def test_a_browser_shows_the_first_arrow(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(Ladder.of(handshake()).html("Handshake"), encoding="utf-8")
    browser = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run([browser, *flags, path.as_uri()], capture_output=True, text=True, check=True, timeout=120)
    shown = done.stdout[done.stdout.index('<div id="about"') :]
    assert "SYN seq=0 win=65535</h2>" in shown
    assert "1 of 3 · client → server" in shown
    assert "<td>state</td><td>SYN-SENT</td><td>–</td>" in shown
    assert 'class="ng-arrow chosen"' in done.stdout
    assert ">Previous</button><button" in done.stdout
    # Eight bytes a line, as numbers and as letters: narrow enough for the side.
    dump = re.search(r"<pre>(.*?)</pre>", shown, re.DOTALL)
    assert dump is not None
    lines = unescape(dump[1]).splitlines()
    assert lines[0].startswith("0000  45 00 00 ")
    assert max(len(line) for line in lines) == 39
