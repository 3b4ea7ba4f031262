"""Every question about TCP as an experiment: `netglass show`. One file a question, listed here in the order in which
one would teach them."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Final

from netglass.errors import MisuseError
from netglass.experiments.experiment import Experiment

# The module's name; the experiment's is the same with hyphens.
OPENING: Final = (
    "handshake",
    "why_not_two",
    "isn_guessing",
    "third_ack_with_data",
    "lost_syn",
    "lost_syn_ack",
    "lost_third_ack_client_first",
    "lost_third_ack_server_first",
    "lost_third_ack_cookies",
    "synack_backoff",
    "syn_queue_full",
    "accept_queue_full",
    "refused",
    "filtered",
    "unreachable",
    "simultaneous_open",
    "syn_and_fin",
)
CLOSING: Final = (
    "close",
    "close_from_server",
    "three_segment_close",
    "half_close",
    "lost_fin",
    "lost_last_ack",
    "without_2msl",
    "time_wait_old_duplicate",
    "time_wait_new_syn",
    "simultaneous_close",
    "reset",
    "unread_data_resets",
    "linger",
    "reuseaddr",
    "out_of_ports",
)
RELIABLE: Final = (
    "retransmission_timeout",
    "fast_retransmit",
    "reordering",
    "duplicates",
    "corruption",
    "zero_window",
    "window_scaling",
    "slow_start",
    "delayed_ack_and_nagle",
    "keepalive_dead_peer",
    "states",
    "netstat",
)
FLOOD: Final = ("syn_flood",)
PROGRAMS: Final = (
    "io_kinds",
    "chat_select",
    "chat_poll",
    "epoll_edge_level",
    "epoll_thread_pool",
    "mutex_kinds",
    "deadlock",
)
SERVICES: Final = ("ftp_active", "ftp_passive", "smtp", "dns", "http_session", "html_and_xml")

BELOW: Final = (
    "arp",
    "arp_spoofing",
    "rarp",
    "mac_learning",
    "neighbour_discovery",
    "dhcp",
    "ping",
    "traceroute",
    "fragmentation",
    "overlap_attack",
    "multicast",
    "igmp_leave",
)

NAMES: Final = tuple(
    name.replace("_", "-") for name in (*OPENING, *CLOSING, *RELIABLE, *FLOOD, *PROGRAMS, *SERVICES, *BELOW)
)


def by_name(name: str) -> Experiment:
    """The experiment called `name`; MisuseError proposes one that is spelled alike."""
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "`netglass show` lists them"
        raise MisuseError(f"there is no experiment {name!r}; {hint}")
    experiment = import_module(f"netglass.experiments.{name.replace('-', '_')}").EXPERIMENT
    assert isinstance(experiment, Experiment)
    return experiment


def everything() -> list[Experiment]:
    return [by_name(name) for name in NAMES]
