"""The names of a lab's hosts, for processes: a hosts file of their own, which only they see."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from typing import Final

from netglass.lab.network import Network

HOSTS: Final = Path("/etc/hosts")

CLONE_NEWNS: Final = 0x00020000  # linux/sched.h
MS_BIND: Final = 0x1000  # linux/mount.h
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 1 << 18


def hosts_text(net: Network, missing: list[str]) -> str:
    """This machine's hosts file, and behind it a line for each address of the lab but those that are `missing`."""
    text = ""
    with suppress(OSError):
        text = HOSTS.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        text += "\n"
    for host in net.hosts:
        addresses = [address for address in net.resolve(host.name) if address not in missing]
        text += "".join([f"{address} {host.name}\n" for address in addresses])
    return text


def put_on(hosts: Path) -> str:
    """From now on the calling thread, and every process that it starts, sees `hosts` as /etc/hosts. What the kernel
    says against it, "" if nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        return "no right to a mount namespace (CAP_SYS_ADMIN)"
    # Nothing of this may reach the mounts of others.
    if libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
        return "the mounts cannot be made private"
    if libc.mount(bytes(hosts), bytes(HOSTS), None, MS_BIND, None):
        return f"{HOSTS} cannot be replaced"
    return ""
