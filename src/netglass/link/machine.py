"""The kernel's side of a device: addresses, up and down, MTU and routes, and network namespaces to try things in.

    with configure("ng0", "10.83.0.1/24", routes=["192.0.2.0/24"]):
        ...   # the kernel answers at 10.83.0.1, and sends what is for 192.0.2.0/24 into ng0

    with Namespace() as inside:
        tun = inside.call(Tun, "ng0")       # the device is in there, its descriptor here
        inside.call(configure, "ng0", "10.83.0.1/24")

pyroute2 (extra `wire`) speaks netlink; no command is called. All is taken back at the end of `with`, last change first.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, ParamSpec, TypeVar

from netglass.errors import LinkError, MisuseError
from netglass.wire.address import network_of, parse, text

if TYPE_CHECKING:
    from pyroute2 import IPRoute

P = ParamSpec("P")
T = TypeVar("T")

CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
RTNL_INET: Final = {4: 2, 16: 10}  # bytes of an address -> its family
LOOPBACK: Final = "lo"

GONE: Final = frozenset({errno.ENODEV, errno.EADDRNOTAVAIL, errno.ESRCH, errno.ENETUNREACH})
"""What netlink says when there is nothing left to take back: the device took its addresses and routes with it."""


class Changes:
    """What was changed in the network namespace of the calling thread. `undo` is called there too."""

    __slots__ = ("_back",)

    def __init__(self) -> None:
        self._back: list[tuple[Callable[..., object], dict[str, object]]] = []  # how each is taken back
        _iproute().close()

    def up(self, name: str) -> None:
        """Lets packets through `name`."""
        with _iproute() as netlink:
            device = _device(netlink, name)
            if not device.is_up:
                _ask(name, netlink.link, "set", index=device.number, state="up")
                self._back.append((_link, {"index": device.number, "state": "down"}))

    def mtu(self, name: str, size: int) -> None:
        """The longest IP packet that the kernel sends into `name`."""
        with _iproute() as netlink:
            device = _device(netlink, name)
            _ask(f"{name}: MTU {size}", netlink.link, "set", index=device.number, mtu=size)
            self._back.append((_link, {"index": device.number, "mtu": device.mtu}))

    def queue(self, name: str, packets: int) -> None:
        """How many packets wait in `name` for whoever reads them."""
        with _iproute() as netlink:
            device = _device(netlink, name)
            _ask(f"{name}: queue of {packets}", netlink.link, "set", index=device.number, txqlen=packets)
            self._back.append((_link, {"index": device.number, "txqlen": device.queue}))

    def without_link_local(self, name: str) -> None:
        """IPv6 gives `name` no address by itself when it comes up (so it asks for no routers either)."""
        with _iproute() as netlink:
            index = _device(netlink, name).number
            family = {"attrs": [("AF_INET6", {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", 1)]})]}
            _ask(f"{name}: no link-local address", netlink.link, "set", index=index, IFLA_AF_SPEC=family)

    def address(self, name: str, address: str) -> None:
        """Gives `name` an address with its prefix, "10.83.0.1/24": the rest of that network is reached through it. One
        that it has already stays when all else is taken back."""
        packed, prefix = _with_prefix(address)
        with _iproute() as netlink:
            what: dict[str, object] = {
                "index": _device(netlink, name).number,
                "address": text(packed),
                "prefixlen": prefix,
            }
            what["family"] = RTNL_INET[len(packed)]
            if _ask(f"{name}: {address}", netlink.addr, "add", **what):
                self._back.append((_address, what))

    def route(self, network: str, name: str, via: str = "") -> None:
        """Sends what is for `network` ("192.0.2.0/24", "0.0.0.0/0") into `name`, to the router `via` if there is
        one."""
        packed, prefix = _with_prefix(network)
        with _iproute() as netlink:
            what: dict[str, object] = {"oif": _device(netlink, name).number}
            what["dst"] = f"{text(network_of(packed, prefix))}/{prefix}"
            what["family"] = RTNL_INET[len(packed)]
            if via:
                what["gateway"] = text(parse(via))
            if _ask(f"{name}: route to {network}", netlink.route, "add", **what):
                self._back.append((_route, what))

    def undo(self) -> None:
        """Takes all back, last change first. What has gone with its device already is no error."""
        while self._back:
            take_back, what = self._back.pop()
            take_back(what)

    def __enter__(self) -> Changes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def configure(
    name: str, address: str | Sequence[str] = (), up: bool = True, mtu: int = 0, routes: Sequence[str] = ()
) -> Changes:
    """The kernel's side of the device `name`: its addresses, and the networks that it leads to. `mtu` 0 leaves it.
    The result takes it back: `with configure(...):`, or `undo()`. LinkError in one line: pyroute2 is missing, the right
    to do it, or the device."""
    changes = Changes()
    try:
        if mtu:
            changes.mtu(name, mtu)
        for each in [address] if isinstance(address, str) else address:
            changes.address(name, each)
        if up:
            changes.up(name)
        for network in routes:
            changes.route(network, name)
    except BaseException:
        changes.undo()
        raise
    return changes


# -- netlink


def _iproute() -> IPRoute:
    try:
        from pyroute2 import IPRoute
    except ModuleNotFoundError:
        text = "addresses, routes and devices of this machine are set with pyroute2: pip install 'netglass[wire]'"
        raise LinkError(errno.ENOSYS, text) from None
    return IPRoute()


class Device(NamedTuple):
    """What the kernel says about one."""

    number: int  # the index that it goes by
    is_up: bool
    mtu: int
    queue: int  # packets that may wait for whoever reads them
    unread: int  # packets that were lost because the queue was full


def device(name: str) -> Device:
    with _iproute() as netlink:
        return _device(netlink, name)


def _device(netlink: IPRoute, name: str) -> Device:
    for message in netlink.get_links():
        if message.get_attr("IFLA_IFNAME") == name:
            mtu, queue = int(message.get_attr("IFLA_MTU")), int(message.get_attr("IFLA_TXQLEN"))
            unread = int(message.get_attr("IFLA_STATS64")["tx_dropped"])
            return Device(int(message["index"]), bool(message["flags"] & 1), mtu, queue, unread)
    raise LinkError(errno.ENODEV, f"{name}: there is no such device in this network namespace")


def _ask(about: str, call: Callable[..., object], *words: str, **what: object) -> bool:
    """False if it is so already."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        call(*words, **what)
    except NetlinkError as error:
        number = int(error.code)
        if number == errno.EEXIST:
            return False
        raise LinkError(number, _refusal(about, number)) from None
    return True


def _refusal(about: str, number: int) -> str:
    if number in (errno.EPERM, errno.EACCES):
        return (
            f"{about}: no right to change devices here (CAP_NET_ADMIN). "
            "Be root of a namespace of your own: unshare -Urn COMMAND"
        )
    return f"{about}: the kernel refuses: {os.strerror(number)}"


def _link(what: dict[str, object]) -> None:
    _take_back("link", "set", what)


def _address(what: dict[str, object]) -> None:
    _take_back("addr", "delete", what)


def _route(what: dict[str, object]) -> None:
    _take_back("route", "del", what)


def _take_back(kind: str, verb: str, what: dict[str, object]) -> None:
    with _iproute() as netlink:
        try:
            _ask(f"taking back {kind}", getattr(netlink, kind), verb, **what)
        except LinkError as error:
            if error.errno not in GONE:
                raise


def _with_prefix(address: str) -> tuple[bytes, int]:
    """Packed, and the prefix length; without one it is the whole address."""
    alone, slash, prefix = address.partition("/")
    packed = parse(alone)
    most = 8 * len(packed)
    if not slash:
        return packed, most
    if not prefix.isdecimal() or int(prefix) > most:
        raise MisuseError(f'{address!r}: behind the "/" stands a prefix length, from 0 to {most}')
    return packed, int(prefix)


# -- namespaces


class Namespace:
    """A network namespace of its own, with its loopback up. It has no name in the file system: it goes when it is
    closed and the last process in it has ended. Making one needs CAP_SYS_ADMIN, which uid 0 of a user namespace has
    (`unshare -Ur`)."""

    __slots__ = ("_descriptor",)

    def __init__(self) -> None:
        self._descriptor: int = -1
        # A thread makes it and ends: whoever is in the way of the caller's own namespace need not be able to return.
        self._descriptor = _in_thread(_new_namespace)
        try:
            self.call(configure, LOOPBACK)
        except BaseException:
            self.close()
            raise

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns or raises, called inside, in a thread of its own. Descriptors that it opens are good
        everywhere; processes that it starts stay inside."""
        if self._descriptor < 0:
            raise MisuseError("this namespace was closed")
        return _in_thread(_call_inside, self._descriptor, lambda: function(*args, **kwargs))

    def processes(self) -> list[int]:
        """The ids of those that are in it, as far as this user may see."""
        own = os.fstat(self._descriptor).st_ino
        return [number for number in _running() if _namespace_of(number) == own]

    def close(self) -> None:
        """Lets it go. A second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Namespace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _running() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _namespace_of(process: int) -> int:
    """0 if it has ended, or is another user's."""
    try:
        return os.stat(f"/proc/{process}/ns/net").st_ino
    except OSError:
        return 0


def _in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args, **kwargs).result()


def _new_namespace() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        number = ctypes.get_errno()
        if number == errno.EPERM:
            line = "no right to make a network namespace (CAP_SYS_ADMIN): run it below unshare -Urn, as its root"
            raise LinkError(number, line)
        raise LinkError(number, f"no network namespace can be made here: {os.strerror(number)}")
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _call_inside(descriptor: int, function: Callable[[], T]) -> T:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise LinkError(number, f"the network namespace cannot be entered: {os.strerror(number)}")
    return function()
