"""A real browser, over a TUN device, logs in to an aiohttp application that runs on netglass."""

from __future__ import annotations

import json
import os
import select
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TOOLS
from tests.peers.machine import LIMIT, OURS, Machine, Running

SITE = """
from netglass.experiments.programs import session

print("ready", flush=True)
session.serve(lifetime=3600)
"""

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server"]

NAVIGATED = -32000  # what the protocol says of a page that is gone

LOG_IN = """
const form = document.createElement("form");
form.method = "POST"; form.action = "/login";
form.innerHTML = '<input name="name" value="Ann">';
document.body.append(form);
form.submit();
"""


class Browser:
    """Chromium, told what to do over its debugging pipe: it reads JSON at descriptor 3 and answers at 4, a zero byte
    after each message."""

    def __init__(self, machine: Machine, executable: str, profile: Path) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        flags = [*FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        joined = f'exec "$0" "$@" 3</dev/fd/{theirs_in} 4>/dev/fd/{theirs_out}'
        self.process: Running = machine.start("sh", "-c", joined, executable, *flags, keep=(theirs_in, theirs_out))
        os.close(theirs_in)
        os.close(theirs_out)
        self._unread = b""
        self._number = 0
        self._session = ""
        target = next(each for each in self.ask("Target.getTargets")["targetInfos"] if each["type"] == "page")
        attached = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._message()).get("id") != self._number:
            pass
        assert answer.get("error", {}).get("code", NAVIGATED) == NAVIGATED, answer
        result: dict[str, Any] = answer.get("result", {})
        return result

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            assert select.select([self._in], [], [], LIMIT)[0], f"the browser is silent: {self.process.errors()}"
            data = os.read(self._in, 1 << 16)
            assert data, f"the browser ended: {self.process.errors()}"
            self._unread += data
        first, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message

    def evaluate(self, script: str) -> Any:
        """None if the page went away meanwhile."""
        return self.ask("Runtime.evaluate", expression=script).get("result", {}).get("value")

    def wait_for(self, expected: str) -> None:
        """Until the page says so; pages come when they come."""
        limit = time.monotonic() + LIMIT
        while (shown := self.evaluate("document.body && document.body.innerText")) != expected:
            assert time.monotonic() < limit, f"the page says {shown!r}, not {expected!r}"

    def close(self) -> None:
        os.write(self._out, b'{"id": 0, "method": "Browser.close"}\0')
        try:
            self.process.process.wait(LIMIT)
        finally:
            self.process.kill()
        os.close(self._in)
        os.close(self._out)


@pytest.mark.chromium
def test_a_browser_logs_in_and_is_known_again(machine: Machine):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    executable = next(found for name in TOOLS["chromium"] if (found := shutil.which(name)))
    script = machine.directory / "site.py"
    script.write_text(SITE)
    machine.serve(script)
    site = f"http://{OURS[4]}/"
    browser = Browser(machine, executable, machine.directory / "profile")
    try:
        browser.ask("Page.navigate", url=site)
        browser.wait_for("I do not know you")
        browser.evaluate(LOG_IN)
        browser.wait_for("Welcome, Ann")
        for visit in (1, 2):
            browser.ask("Page.navigate", url=site)
            browser.wait_for(f"Hello Ann, visit {visit}")
    finally:
        browser.close()
