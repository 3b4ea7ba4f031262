"""A DHCP client (RFC 2131 §4.4) for one interface, without I/O.

    INIT ─DISCOVER─► SELECTING ─OFFER, REQUEST─► REQUESTING ─ACK─► BOUND ─T1─► RENEWING ─T2─► REBINDING ─end─► INIT
                         ▲                           │ NAK            ▲────────── ACK ──────────┘
                         └───────────────────────────┘

`poll_message` gives what to send and to whom, `poll_change` a lease that is new, or gone.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.rng import Rng
from netglass.times import MINUTE, NEVER, SECOND
from netglass.wire.address import BROADCAST, UNSPECIFIED_4, is_multicast, is_unspecified
from netglass.wire.dhcp import (
    CLIENT_ID,
    DECLINE,
    DISCOVER,
    DNS_SERVERS,
    LEASE_TIME,
    NAK,
    OFFER,
    PARAMETERS,
    REBINDING_TIME,
    RELEASE,
    RENEWAL_TIME,
    REQUEST,
    REQUESTED_ADDRESS,
    ROUTERS,
    SERVER_ID,
    SUBNET_MASK,
    DhcpMessage,
)

_FOREVER: Final = 0xFFFFFFFF
_FIRST_WAIT: Final = 4 * SECOND  # RFC 2131 §4.1: 4, 8, 16 ... 64 s, each a second more or less
_LAST_WAIT: Final = 64 * SECOND
_MOST_REQUESTS: Final = 4
_LEAST_RENEWAL_WAIT: Final = 1 * MINUTE
_WAIT_AFTER_DECLINE: Final = 10 * SECOND
_WAIT_AFTER_REFUSAL: Final = 10 * SECOND
_WANTED: Final = bytes([SUBNET_MASK, ROUTERS, DNS_SERVERS, LEASE_TIME, RENEWAL_TIME, REBINDING_TIME])


class Lease:
    """An address for some time. Times in ns, as the clock goes."""

    __slots__ = ("address", "dns", "ends_at", "prefix", "rebind_at", "renew_at", "routers", "server")

    def __init__(self, told: DhcpMessage, now: int) -> None:
        seconds = told.number(LEASE_TIME, _FOREVER)
        self.address: bytes = told.your
        self.prefix: int = told.prefix
        self.routers: list[bytes] = [each for each in told.addresses(ROUTERS) if _is_usable(each)]
        self.dns: list[bytes] = told.addresses(DNS_SERVERS)
        self.server: bytes = told.address(SERVER_ID)
        if seconds == _FOREVER:
            self.renew_at: int = NEVER
            self.rebind_at: int = NEVER
            self.ends_at: int = NEVER
            return
        half, seven_eighths = seconds * SECOND // 2, seconds * SECOND * 7 // 8  # RFC 2131 §4.4.5
        renew = told.number(RENEWAL_TIME, 0) * SECOND or half
        rebind = told.number(REBINDING_TIME, 0) * SECOND or seven_eighths
        if not renew <= rebind <= seconds * SECOND:
            renew, rebind = half, seven_eighths
        self.renew_at = now + renew
        self.rebind_at = now + rebind
        self.ends_at = now + seconds * SECOND


class DhcpClient:
    """The client. `state` is RFC 2131's name."""

    __slots__ = (
        "_changes",
        "_due",
        "_messages",
        "_offer",
        "_rng",
        "_sent",
        "_started",
        "_transaction",
        "_wait",
        "lease",
        "mac",
        "state",
    )

    def __init__(self, mac: bytes, rng: Rng) -> None:
        self.mac: bytes = mac
        self.state: str = "INIT"
        self.lease: Lease | None = None
        self._rng: Rng = rng
        self._transaction: int = 0
        self._started: int = 0
        self._offer: DhcpMessage | None = None
        self._sent: int = 0
        self._wait: int = 0
        self._due: int = NEVER
        self._messages: deque[tuple[DhcpMessage, bytes]] = deque()
        self._changes: deque[tuple[Lease, bool]] = deque()

    # -- what is asked of it

    def start(self, now: int) -> None:
        """Looks for a server, from the beginning."""
        self.state = "SELECTING"
        self._transaction = self._rng.u32()
        self._started = now
        self._offer = None
        self._wait = _FIRST_WAIT
        self._discover(now)

    def stop(self, now: int) -> None:
        """Gives the lease back (RFC 2131 §4.4.6)."""
        lease = self.lease
        if lease is not None:
            options = {SERVER_ID: lease.server}
            self._transaction = self._rng.u32()
            self._say(DhcpMessage(RELEASE, self._transaction, self.mac, lease.address, options=options), lease.server)
        self._lose()
        self.state = "INIT"
        self._due = NEVER

    def decline(self, now: int) -> None:
        """Somebody else has the address that was leased (RFC 2131 §3.1, 5)."""
        lease = self.lease
        if lease is not None:
            options = {REQUESTED_ADDRESS: lease.address, SERVER_ID: lease.server}
            self._say(DhcpMessage(DECLINE, self._transaction, self.mac, options=options), BROADCAST)
        self._lose()
        self.state = "INIT"
        self._due = now + _WAIT_AFTER_DECLINE

    # -- messages

    def receive(self, message: DhcpMessage, now: int) -> str:
        """A message to port 68: "" if it was taken, else why not (a counter's name)."""
        if not message.from_server or message.transaction != self._transaction or message.mac != self.mac:
            return "dhcp-not-for-us"
        if message.type == OFFER:
            return self._take_offer(message, now)
        if self.state not in ("REQUESTING", "RENEWING", "REBINDING"):
            return "dhcp-not-asked-for"
        if message.type == NAK:
            self._refused(now)
            return ""
        return self._take_lease(message, now)

    def _refused(self, now: int) -> None:
        """Begins again. Who offers and then refuses must not make us ask without a pause."""
        if self.lease is not None:
            self._lose()
            self.start(now)
            return
        self.state = "INIT"
        self._due = now + _WAIT_AFTER_REFUSAL

    def _take_offer(self, offer: DhcpMessage, now: int) -> str:
        if self.state != "SELECTING":
            return "dhcp-not-asked-for"
        if not offer.address(SERVER_ID) or not _is_usable(offer.your):
            return "dhcp-bad-offer"
        self.state = "REQUESTING"
        self._offer = offer
        self._sent = 0
        self._wait = _FIRST_WAIT
        self._request(now)
        return ""

    def _take_lease(self, told: DhcpMessage, now: int) -> str:
        if not _is_usable(told.your) or not told.number(LEASE_TIME, _FOREVER):
            return "dhcp-bad-offer"
        old = self.lease
        lease = Lease(told, now)
        if not lease.server:
            # RFC 2131 §4.3.1 wants the server to say who it is; who does not is whom we asked.
            known = b"" if self._offer is None else self._offer.address(SERVER_ID)
            lease.server = known if old is None else old.server
        if not lease.server:
            return "dhcp-bad-offer"
        if old is not None and old.address != lease.address:
            self._changes.append((old, False))
        if old is None or old.address != lease.address:
            self._changes.append((lease, True))
        self.lease = lease
        self.state = "BOUND"
        self._due = lease.renew_at
        return ""

    def _lose(self) -> None:
        if self.lease is not None:
            self._changes.append((self.lease, False))
            self.lease = None

    def _discover(self, now: int) -> None:
        self._say(self._asking(DISCOVER, now, {}), BROADCAST)
        self._wait_more(now)

    def _request(self, now: int) -> None:
        offer = self._offer
        if offer is None:
            return
        self._sent += 1
        options = {REQUESTED_ADDRESS: offer.your, SERVER_ID: offer.address(SERVER_ID)}
        self._say(self._asking(REQUEST, now, options), BROADCAST)
        self._wait_more(now)

    def _asking(self, kind: int, now: int, options: dict[int, bytes]) -> DhcpMessage:
        seconds = (now - self._started) // SECOND
        told = {CLIENT_ID: b"\x01" + self.mac, PARAMETERS: _WANTED, **options}
        # What cannot be heard yet as unicast is asked for as broadcast (RFC 2131 §4.1).
        return DhcpMessage(kind, self._transaction, self.mac, UNSPECIFIED_4, UNSPECIFIED_4, True, seconds, told)

    def _wait_more(self, now: int) -> None:
        self._due = now + self._wait - SECOND + self._rng.below(2_000) * 1_000_000
        self._wait = min(self._wait * 2, _LAST_WAIT)

    def _renew(self, lease: Lease, now: int) -> None:
        """Asks for more time: the server that gave it, later any (RFC 2131 §4.4.5)."""
        rebinding = now >= lease.rebind_at
        state = "REBINDING" if rebinding else "RENEWING"
        if state != self.state:
            self.state = state
            self._transaction = self._rng.u32()
            self._started = now
        options = {CLIENT_ID: b"\x01" + self.mac, PARAMETERS: _WANTED}
        message = DhcpMessage(REQUEST, self._transaction, self.mac, lease.address, options=options)
        self._say(message, BROADCAST if rebinding else lease.server)
        end = lease.ends_at if rebinding else lease.rebind_at
        self._due = min(now + max((end - now) // 2, _LEAST_RENEWAL_WAIT), end)

    def _say(self, message: DhcpMessage, destination: bytes) -> None:
        self._messages.append((message, destination))

    def poll_message(self) -> tuple[DhcpMessage, bytes] | None:
        """(message, address to send it to): from the leased address, or from 0.0.0.0 if it names none (`client`)."""
        return self._messages.popleft() if self._messages else None

    def poll_change(self) -> tuple[Lease, bool] | None:
        """(lease, True: it is ours now; False: no more)."""
        return self._changes.popleft() if self._changes else None

    # -- time

    @property
    def deadline(self) -> int:
        return self._due

    def handle_timeout(self, now: int) -> None:
        if self._due > now:
            return
        lease = self.lease
        if lease is not None and self.state in ("BOUND", "RENEWING", "REBINDING"):
            if now >= lease.ends_at:
                self._lose()
                self.start(now)
            else:
                self._renew(lease, now)
        elif self.state == "SELECTING":
            self._discover(now)
        elif self.state == "REQUESTING" and self._sent < _MOST_REQUESTS:
            self._request(now)
        else:
            self.start(now)


def _is_usable(address: bytes) -> bool:
    return not is_unspecified(address) and not is_multicast(address) and address != BROADCAST and address[0] != 127
