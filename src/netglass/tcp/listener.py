"""A listening port: SYN queue (half-open connections), accept queue (complete ones), SYN-ACK timers, SYN cookies.

    SYN ──► room in the SYN queue? ── no ──► a cookie, or dropped, or the oldest entry goes
                    │ yes
                    ▼
            entry in the SYN queue, SYN-ACK sent; again after 1, 2, 4 ... s; then given up
                    │ third segment
                    ▼
            room in the accept queue? ── no ──► ignored: the entry stays, the SYN-ACK will come again
                    │ yes
                    ▼
            a connection in the accept queue, until accept() takes it

A full accept queue turns new SYNs away as well, cookies or not. Where RFC 9293 and Linux differ, this does as Linux
6.18 does (tcp_conn_request, tcp_check_req, reqsk_timer_handler), and the comment says so. A RST has nothing to
remember: it goes out by `poll_segment` like everything else.
"""

from __future__ import annotations

from collections import deque

from netglass.counters import Counters
from netglass.errors import MisuseError
from netglass.probe import Flow, Probe
from netglass.rng import Rng
from netglass.tcp.config import COOKIES_ALWAYS, COOKIES_NEVER, TcpConfig, TcpSettings
from netglass.tcp.connection import Connection, open_connection
from netglass.tcp.cookies import VALIDITY, SynCookies
from netglass.tcp.half_open import (
    HalfOpen,
    HalfOpenKey,
    announce,
    end_of,
    in_window,
    is_old,
    negotiate,
    plain_ack,
    syn_ack,
    timestamp,
    unacceptable,
)
from netglass.tcp.isn import IsnGenerator
from netglass.tcp.reset import reset_for
from netglass.tcp.syn_queue import SynQueue
from netglass.times import NEVER
from netglass.wire.seq import MASK, unwrap
from netglass.wire.tcp import ABSENT, ACK, FIN, RST, SYN, TcpSegment
from netglass.world import POLLIN, Endpoint

__all__ = ["HalfOpen", "HalfOpenKey", "Listener"]


class Listener(Endpoint):
    """One listener. `local` is b"" for any address. Both queues hold backlog + 1 entries, as Linux counts.

    `half_open` and `accept_queue` may be looked at (netstat does). After `receive_segment`, `drop_reason` says why the
    segment had no effect, whether it was answered or not ("" if it had one); that reason has been counted already.
    """

    __slots__ = (
        "_cookie_sent_at",
        "_outgoing",
        "_syn_queue",
        "accept_queue",
        "backlog",
        "config",
        "cookies",
        "counters",
        "drop_reason",
        "half_open",
        "host",
        "isn",
        "local",
        "local_port",
        "probe",
        "settings",
        "woken",
    )

    def __init__(
        self,
        local: bytes,
        local_port: int,
        backlog: int,
        config: TcpConfig,
        settings: TcpSettings,
        rng: Rng,
        counters: Counters,
        host: str,
        probe: Probe | None,
        isn: IsnGenerator | None = None,
    ) -> None:
        super().__init__()
        if backlog < 0:
            raise MisuseError(f"a backlog is 0 or more (listen() turns a negative one into somaxconn): {backlog}")
        self.local: bytes = local
        self.local_port: int = local_port
        self.backlog: int = backlog
        self.config: TcpConfig = config
        self.settings: TcpSettings = settings
        self.counters: Counters = counters
        self.host: str = host
        self.probe: Probe | None = probe
        self.isn: IsnGenerator = isn if isn is not None else IsnGenerator(rng, config)
        self.cookies: SynCookies = SynCookies(local_port, rng, config)
        self.accept_queue: deque[Connection] = deque()
        self.woken: int = 0
        self.drop_reason: str = ""
        self._syn_queue: SynQueue = SynQueue()
        self.half_open: dict[HalfOpenKey, HalfOpen] = self._syn_queue.entries  # the oldest first
        self._outgoing: deque[tuple[bytes, bytes, TcpSegment]] = deque()
        self._cookie_sent_at: int = -NEVER

    # -- the host's verbs

    def receive_segment(
        self, segment: TcpSegment, remote: bytes, local: bytes, mtu: int, gso_size: int, now: int, iss: int = -1
    ) -> Connection | None:
        """A segment that belongs to no connection. Returns a connection when the handshake is complete: the host files
        it under its four-tuple, then drains it like any other; the segment's data has already been given to it. It is
        in the accept queue already. `iss`: where our numbers start if this SYN makes an entry, for a SYN that follows a
        connection in TIME-WAIT (beyond all that one used, RFC 1122 §4.2.2.13); -1: RFC 6528 decides."""
        self.drop_reason = ""
        key = (remote, segment.source_port, local)
        entry = self.half_open.get(key)
        if entry is None:
            return self._in_listen(segment, key, mtu, gso_size, now, iss)
        return self._in_syn_received(entry, segment, mtu, gso_size, now)

    def poll_segment(self, now: int) -> tuple[bytes, bytes, TcpSegment] | None:
        """(local, remote, segment) to send, or None."""
        return self._outgoing.popleft() if self._outgoing else None

    @property
    def deadline(self) -> int:
        """When handle_timeout is due; NEVER if nothing is."""
        return self._syn_queue.deadline

    def handle_timeout(self, now: int) -> None:
        """Every SYN-ACK timer that has expired; too early a call does nothing."""
        while self._syn_queue.deadline <= now:
            self._syn_ack_timer(self._syn_queue.due(), now)

    # -- the application's calls

    def accept(self, now: int) -> Connection | None:
        """The oldest complete connection, or None. If it died while it waited, its first call says so, as in Linux."""
        if not self.accept_queue:
            return None
        connection = self.accept_queue.popleft()
        self._tell_queues(now)
        return connection

    def close(self, now: int) -> list[Connection]:
        """Forgets the half-open, returns the complete ones that nobody accepted: the host aborts them, as in Linux."""
        for entry in list(self.half_open.values()):
            self._drop_entry(entry, now)
        unaccepted = list(self.accept_queue)
        self.accept_queue.clear()
        self._tell_queues(now)
        return unaccepted

    def readiness(self) -> int:
        """POLLIN if accept() would give a connection."""
        return POLLIN if self.accept_queue else 0

    # -- LISTEN (RFC 9293 §3.10.7.2)

    def _in_listen(
        self, segment: TcpSegment, key: HalfOpenKey, mtu: int, gso_size: int, now: int, iss: int
    ) -> Connection | None:
        flags = segment.flags
        # first: RST
        if flags & RST:
            self._drop("reset-in-listen")
            return None
        # second: ACK. It is for a cookie, or for nothing that we ever sent.
        if flags & ACK:
            entry = self._entry_from_cookie(segment, key, mtu, now)
            if entry is not None:
                return self._complete_cookie(entry, segment, mtu, gso_size, now)
            self._refuse(segment, key, "ack-in-listen")
            return None
        # third: SYN. Linux drops a SYN with a FIN: a policy, not the RFC.
        if not flags & SYN:
            self._drop("no-syn-in-listen")
            return None
        if flags & FIN:
            self._drop("syn-fin")
            return None
        return self._syn_arrives(segment, key, mtu, gso_size, now, iss)

    def _syn_arrives(
        self, segment: TcpSegment, key: HalfOpenKey, mtu: int, gso_size: int, now: int, iss: int
    ) -> Connection | None:
        config = self.config
        full = len(self.half_open) >= self._syn_queue_limit()
        with_cookie = config.syncookies == COOKIES_ALWAYS
        if full and not with_cookie and not config.recycle_half_open:
            if config.syncookies == COOKIES_NEVER:
                self._drop("syn-queue-full")
                return None
            with_cookie = True
        if self._accept_queue_is_full():
            self._drop("accept-queue-full")
            return None
        if segment.length:
            self.counters.add("syn-data-ignored")  # allowed, but the peer will have to send it again
        if with_cookie:
            # The cookie will be its sequence number. In a flood, a hash that nobody needs is time taken from others.
            iss = 0
        entry = self._entry_from_syn(segment, key, mtu, now, iss)
        if with_cookie:
            self.counters.add("syncookies-sent")
            self._cookie_sent_at = now
            self._send(key, self.cookies.answer(entry, now))
            return None
        if not config.handshake_ack_required:
            return self._complete_without_ack(entry, mtu, gso_size, now)
        if full:
            self.counters.add("half-open-recycled")
            self._drop_entry(self._syn_queue.oldest(), now)
        self._syn_queue.add(entry, now + self._syn_ack_timeout(0))
        self._tell_state(entry, "LISTEN", "SYN-RECEIVED", now)
        self._tell_queues(now)
        self._send_syn_ack(entry, now)
        return None

    def _entry_from_syn(self, segment: TcpSegment, key: HalfOpenKey, mtu: int, now: int, iss: int) -> HalfOpen:
        remote, remote_port, local = key
        if iss < 0:
            iss = self.isn.isn(local, self.local_port, remote, remote_port, now)
        entry = HalfOpen(key, segment.seq, iss & MASK, now)
        negotiate(entry, segment, mtu, self.config, self.settings)
        if entry.ts_recent != ABSENT:
            entry.ts_offset = self.isn.ts_offset(local, remote)
        return entry

    def _complete_without_ack(self, entry: HalfOpen, mtu: int, gso_size: int, now: int) -> Connection:
        """The handshake with two segments, to show why it takes three: any old SYN opens a connection."""
        self._send_syn_ack(entry, now)
        self._tell_state(entry, "LISTEN", "SYN-RECEIVED", now)
        connection = self._open(entry, mtu, gso_size, now)
        connection.assume_established(now)
        return connection

    # -- SYN cookies (RFC 4987 §3.6)

    def _entry_from_cookie(self, segment: TcpSegment, key: HalfOpenKey, mtu: int, now: int) -> HalfOpen | None:
        """The entry that an ACK brings back, or None if it brings none."""
        config = self.config
        if config.syncookies == COOKIES_NEVER or segment.flags & SYN:
            return None
        # Only where cookies were sent lately: else every ACK to every listener would be a chance to guess one.
        if config.syncookies != COOKIES_ALWAYS and now - self._cookie_sent_at > VALIDITY:
            return None
        entry = self.cookies.restore(segment, key, self.isn.ts_offset(key[2], key[0]), now)
        if entry is None:
            self.counters.add("syncookies-failed")
            return None
        self.counters.add("syncookies-received")
        if not self._allows(entry):
            self.counters.add("syncookies-bad-options")
            return None
        announce(entry, mtu, config, self.settings)
        return entry

    def _allows(self, entry: HalfOpen) -> bool:
        """False if the timestamp that came back speaks of options that this host does not use."""
        config = self.config
        if entry.ts_recent != ABSENT and not config.timestamps:
            return False
        if entry.snd_wscale != ABSENT and not config.window_scaling:
            return False
        return config.sack or not entry.sack_ok

    def _complete_cookie(
        self, entry: HalfOpen, segment: TcpSegment, mtu: int, gso_size: int, now: int
    ) -> Connection | None:
        if self._accept_queue_is_full():
            self._drop("accept-queue-full")
            return None
        older = self.half_open.get(entry.key)
        if older is not None:
            # The same peer had an entry as well; what it acknowledged is the cookie.
            self._drop_entry(older, now)
        self._tell_state(entry, "LISTEN", "SYN-RECEIVED", now)
        connection = self._open(entry, mtu, gso_size, now)
        connection.receive_segment(segment, now)
        return connection

    # -- SYN-RECEIVED (RFC 9293 §3.10.7.4, as tcp_check_req does it)

    def _in_syn_received(
        self, entry: HalfOpen, segment: TcpSegment, mtu: int, gso_size: int, now: int
    ) -> Connection | None:
        flags = segment.flags
        if segment.seq == entry.irs and flags & (SYN | RST | ACK) == SYN and not is_old(entry, segment):
            self._syn_again(entry, now)
            return None
        seq = unwrap(segment.seq, entry.irs + 1)
        # second: RST. Linux looks at it before the ACK, as the RFC does.
        if flags & RST:
            self._reset_arrives(entry, segment, seq, now)
            return None
        # fifth: ACK of something never sent. Linux looks here already, and LISTEN answers: with a RST, unless it is for
        # a cookie. The entry stays.
        if flags & ACK and segment.ack != (entry.iss + 1) & MASK:
            return self._in_listen(segment, entry.key, mtu, gso_size, now, -1)
        # first: the sequence number. Data is always answered: it cannot be part of a loop of wrong ACKs.
        reason = unacceptable(entry, segment, seq)
        if reason:
            self._drop(reason)
            if (end_of(segment, seq) != seq and not flags & SYN) or self._may_answer(entry, now):
                self._send(entry.key, plain_ack(entry, self.local_port, now))
            return None
        if entry.ts_recent != ABSENT and segment.ts_val != ABSENT and seq <= entry.irs + 1:
            entry.ts_recent = segment.ts_val
        # fourth: SYN. RFC 9293 returns to LISTEN; Linux sends a RST as well.
        if flags & SYN and seq != entry.irs:
            self._refuse(segment, entry.key, "syn-in-window")
            self._drop_entry(entry, now)
            return None
        if flags & SYN:
            # The SYN that we know, with an ACK and text behind it: nobody's third segment.
            self._challenge(entry, "challenge-syn", now)
            return None
        if not flags & ACK:
            self._drop("no-ack-bit")
            return None
        bare = end_of(segment, seq) == entry.irs + 1
        return self._third_segment(entry, segment, bare, mtu, gso_size, now)

    def _syn_again(self, entry: HalfOpen, now: int) -> None:
        """The peer did not get our SYN-ACK, or not yet. The timer starts anew."""
        if not self._may_answer(entry, now):
            self.drop_reason = "answer-rate-limited"
            return
        entry.resent += 1
        self._send_syn_ack(entry, now)
        self._syn_queue.postpone(entry, now + self._syn_ack_timeout(entry.retries))

    def _reset_arrives(self, entry: HalfOpen, segment: TcpSegment, seq: int, now: int) -> None:
        """RFC 5961 §3.2: a RST counts at exactly RCV.NXT; elsewhere in the window it is challenged, outside ignored."""
        if not in_window(entry, segment, seq):
            self._drop("reset-outside-window")
            return
        if seq == entry.irs + 1:
            self.counters.add("half-open-reset")
            self._drop_entry(entry, now)
            return
        self._challenge(entry, "challenge-reset", now)

    def _challenge(self, entry: HalfOpen, reason: str, now: int) -> None:
        """Who sent this in good faith learns what is expected (RFC 5961)."""
        self._drop(reason)
        if self._may_answer(entry, now):
            self._send(entry.key, plain_ack(entry, self.local_port, now))

    def _third_segment(
        self, entry: HalfOpen, segment: TcpSegment, bare: bool, mtu: int, gso_size: int, now: int
    ) -> Connection | None:
        """The acknowledgement of our SYN-ACK, with data or a FIN or without (`bare`)."""
        if bare and entry.retries < self._deferred_retries():
            entry.acked = True
            self._drop("defer-accept")
            return None
        if not self._accept_queue_is_full():
            self._syn_queue.remove(entry)
            connection = self._open(entry, mtu, gso_size, now)
            connection.receive_segment(segment, now)
            return connection
        if self.config.abort_on_overflow:
            self._refuse(segment, entry.key, "accept-queue-full")
            self._drop_entry(entry, now)
            return None
        # The peer believes that it is connected; the next SYN-ACK makes it send this again.
        self._drop("accept-queue-full")
        entry.acked = True
        return None

    def _open(self, entry: HalfOpen, mtu: int, gso_size: int, now: int) -> Connection:
        """A connection in SYN-RECEIVED, made from `entry`, in the accept queue."""
        remote, remote_port, local = entry.key
        connection = open_connection(
            local,
            self.local_port,
            remote,
            remote_port,
            entry.iss,
            mtu,
            gso_size,
            entry.ts_offset,
            self.config,
            self.settings.copy(),
            self.counters,
            self.host,
            self.probe,
            now,
        )
        connection.adopt(
            entry.irs,
            entry.window,
            entry.peer_mss,
            entry.snd_wscale,
            entry.rcv_wscale,
            entry.ts_recent != ABSENT,
            entry.ts_recent,
            entry.sack_ok,
            entry.sent_at,
            now,
        )
        # With more than one SYN-ACK the time of the round trip is unknown (Karn), with more than two the path is bad.
        connection.tcb.syn_retries = entry.resent
        self.accept_queue.append(connection)
        self.woken |= POLLIN
        self._tell_queues(now)
        return connection

    # -- room in the queues

    def _syn_queue_limit(self) -> int:
        return self.config.syn_queue_limit or self.backlog + 1

    def _accept_queue_is_full(self) -> bool:
        return len(self.accept_queue) > self.backlog

    def _drop_entry(self, entry: HalfOpen, now: int) -> None:
        """The half-open connection comes to nothing."""
        self._syn_queue.remove(entry)
        self._tell_state(entry, "SYN-RECEIVED", "CLOSED", now)
        self._tell_queues(now)

    # -- the SYN-ACK timer (Linux reqsk_timer_handler)

    def _syn_ack_timer(self, entry: HalfOpen, now: int) -> None:
        if self.probe is not None:
            self.probe.timer_fired(self.host, self._flow(entry), "syn-ack", now)
        deferred = self._deferred_retries()
        # TCP_DEFER_ACCEPT: the ACK has come but no data. Quiet until the time is nearly over, then one more chance.
        waiting = entry.acked and deferred > 0
        if entry.retries >= self._retries_allowed() and not (waiting and entry.retries < deferred):
            self.counters.add("syn-ack-timeout")
            self._drop_entry(entry, now)
            return
        if not waiting or entry.retries >= deferred - 1:
            entry.resent += 1
            self._send_syn_ack(entry, now)
        self._syn_queue.expire(entry, now + self._syn_ack_timeout(entry.retries + 1))

    def _retries_allowed(self) -> int:
        """Half of the queue is kept for entries whose first SYN-ACK may still be answered: the fuller it is of old
        ones, the earlier those go, but never before two retries."""
        own = self.settings.syn_count
        retries = own if own > 0 else self.config.synack_retries
        waiting = len(self.half_open)
        if 2 * waiting <= max(8, self._syn_queue_limit() - 1):
            return retries
        young = 2 * self._syn_queue.young
        while retries > 2 and waiting >= young:
            retries -= 1
            young *= 2
        return retries

    def _syn_ack_timeout(self, retries: int) -> int:
        return min(self.config.syn_ack_rto << retries, self.config.rto_max)

    def _deferred_retries(self) -> int:
        """TCP_DEFER_ACCEPT as a number of expiries of the SYN-ACK timer (Linux secs_to_retrans); 0: off."""
        wait = self.settings.defer_accept
        if wait <= 0:
            return 0
        retries = 1
        covered = self._syn_ack_timeout(0)
        while covered < wait and retries < 255:
            covered += self._syn_ack_timeout(retries)
            retries += 1
        return retries

    # -- what goes out

    def _send(self, key: HalfOpenKey, segment: TcpSegment) -> None:
        self._outgoing.append((key[2], key[0], segment))

    def _send_syn_ack(self, entry: HalfOpen, now: int) -> None:
        entry.sent_at = now
        self._send(entry.key, syn_ack(entry, self.local_port, timestamp(entry, now)))

    def _refuse(self, segment: TcpSegment, key: HalfOpenKey, reason: str) -> None:
        """Drops `segment` and answers it with a RST."""
        self._drop(reason)
        reset = reset_for(segment)
        if reset is not None:
            self._send(key, reset)

    def _may_answer(self, entry: HalfOpen, now: int) -> bool:
        """False if this peer was answered a moment ago (Linux tcp_invalid_ratelimit)."""
        if now - entry.answered_at < self.config.invalid_ratelimit:
            self.counters.add("answer-rate-limited")
            return False
        entry.answered_at = now
        return True

    def _drop(self, reason: str) -> None:
        self.counters.add(reason)
        self.drop_reason = reason

    # -- what is told

    def _flow(self, entry: HalfOpen) -> Flow:
        return (entry.key[2], self.local_port, entry.key[0], entry.key[1])

    def _tell_state(self, entry: HalfOpen, old: str, new: str, now: int) -> None:
        if self.probe is not None:
            self.probe.state_changed(self.host, self._flow(entry), old, new, now)

    def _tell_queues(self, now: int) -> None:
        if self.probe is not None:
            self.probe.queue_changed(
                self.host,
                self.local_port,
                len(self.half_open),
                len(self.accept_queue),
                self._syn_queue_limit(),
                self.backlog + 1,
                now,
            )
