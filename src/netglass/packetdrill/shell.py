"""The few shell commands that mean something here. Any other is an error that names it: no test passes by silence.

sysctl -q -w net.ipv4.tcp_sack=0        also several, also net/ipv4/tcp_sack, also `sysctl -q name=value`
set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0
echo 0 > /proc/sys/net/ipv4/tcp_sack
defaults.sh                             the host has the defaults already
sysctl_restore_*.sh                     what set_sysctls.py leaves behind; the host ends with the script
ip tcp_metrics flush all                there is nothing to flush
ethtool -K tun0 tso off gso off         the interface does not offload
sockets SYN-RECEIVED 1                  exactly one socket is in that state
sleep 0.5                               time passes
true, :, exit 0, set -e
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Final

from netglass.errors import MisuseError
from netglass.host.config import HostConfig
from netglass.packetdrill.result import Mismatch
from netglass.times import duration

_SEPARATORS: Final = re.compile(r"&&|\|\||;|\n")
_ECHO: Final = re.compile(r"echo\s+(?:-n\s+)?['\"]?(?P<value>[^>'\"]*?)['\"]?\s*>\s*(?P<path>/proc/sys/\S+)")
_NO_OFFLOAD: Final = re.compile(r"ethtool -K \S+( (tso|gso|gro|lro|sg|tx|rx) off)+")
_REDIRECTIONS: Final = re.compile(r"\s*(?:[12&]?>\s*(?:/dev/null|&[12]))")


# Settings without a switch of ours, and the values that describe what the host does: with these a script may go on.
_WHAT_IS_SO: Final[dict[str, tuple[str, ...]]] = {
    "net.ipv4.tcp_adv_win_scale": ("1",),
    "net.ipv4.tcp_autocorking": ("0", "1"),  # waits for a device's queue, and there is none
    "net.ipv4.tcp_dsack": ("1",),
    "net.ipv4.tcp_early_retrans": ("0",),
    "net.ipv4.tcp_ecn": ("0",),
    "net.ipv4.tcp_fastopen": ("0",),
    "net.ipv4.tcp_frto": ("0",),
    "net.ipv4.tcp_mtu_probing": ("0",),
    "net.ipv4.tcp_no_metrics_save": ("1",),
    "net.ipv4.tcp_recovery": ("0",),
    "net.ipv4.tcp_stdurg": ("0",),
    "net.ipv4.tcp_thin_linear_timeouts": ("0",),
}


class Unsupported(Exception):  # noqa: N818 - caught and told as a ScriptError, with its place
    """A command that means nothing here."""


class Shell:
    """Runs commands against one host: `config` is its configuration, `states` names the states of all its sockets."""

    def __init__(
        self,
        config: HostConfig,
        states: Callable[[], list[str]],
        sleep: Callable[[int], None],
    ) -> None:
        self._config = config
        self._states = states
        self._sleep = sleep
        self._changed = False

    def run(self, text: str) -> None:
        """Raises Unsupported, or Mismatch if a check fails."""
        for line in _SEPARATORS.split(text.replace("\\\n", " ")):
            command = _REDIRECTIONS.sub("", line).strip()
            if command and not command.startswith("#"):
                self._run_one(command)

    def _run_one(self, command: str) -> None:
        if match := _ECHO.fullmatch(command):
            self._assign(match["path"], match["value"].strip())
            return
        if _NO_OFFLOAD.fullmatch(command):
            return
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise Unsupported(f"{command!r}: {error}") from None
        name = words[0].rpartition("/")[2]
        if name == "sysctl" or name == "set_sysctls.py":
            self._sysctl(words[1:], command)
        elif name == "sockets":
            self._sockets(words[1:], command)
        elif name == "defaults.sh" or (name.startswith("sysctl_restore_") and name.endswith(".sh")):
            self._reset(command)
        elif name == "sleep" and len(words) == 2:
            self._sleep(duration(f"{words[1]}s"))
        elif words not in (["ip", "tcp_metrics", "flush", "all"], ["true"], [":"], ["exit", "0"], ["set", "-e"]):
            raise Unsupported(f"the command {command!r} means nothing to a simulated host")

    # -- sysctl

    def _sysctl(self, words: list[str], command: str) -> None:
        assignments = " ".join([word for word in words if not word.startswith("-")])
        # The value of net.ipv4.tcp_rmem is three numbers, with or without quotes: a name begins where a `=` follows it.
        parts = re.findall(r"([\w./-]+)\s*=\s*([^=]*?)(?=\s+[\w./-]+\s*=|$)", assignments)
        if not parts:
            raise Unsupported(f"{command!r} sets nothing; write sysctl -w net.ipv4.tcp_sack=0")
        for name, value in parts:
            self._assign(name, value)

    def _assign(self, name: str, value: str) -> None:
        name = name.removeprefix("/proc/sys/").replace("/", ".")
        try:
            self._config.set(name, value)
        except (MisuseError, ValueError) as error:
            if value not in _WHAT_IS_SO.get(name, ()):
                reason = str(error).partition(";")[0]  # what follows is the list of all names
                raise Unsupported(f"sysctl {name}={value}: {reason}") from None
        self._changed = True

    def _reset(self, command: str) -> None:
        # The host begins with the defaults, and ends with the script: only in between would there be something to do.
        if self._changed and "restore" not in command:
            raise Unsupported(f"{command!r} after a sysctl: set the defaults first, then what differs")

    # -- checks

    def _sockets(self, words: list[str], command: str) -> None:
        if len(words) != 2 or not words[1].isdigit():
            raise Unsupported(f"{command!r}: write `sockets STATE COUNT`, as in `sockets TIME-WAIT 1`")
        state, count = words[0], int(words[1])
        states = self._states()
        found = states.count(state)
        if found != count:
            have = ", ".join([f"{each} {states.count(each)}" for each in sorted(set(states))]) or "no sockets"
            raise Mismatch(f"{found} sockets in {state}, not {count}", f"sockets {state} {count}", have)
