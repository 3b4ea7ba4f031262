"""Playing a script: when things happen, what is checked, and what is said when something differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from netglass.host.config import HostConfig
from netglass.packetdrill import Failure, Result, Setting, run_script
from netglass.packetdrill.batch import play, play_all, scripts, split_arguments, summary
from netglass.times import MILLISECOND, SECOND

LISTEN = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
"""
ACCEPTED = (
    LISTEN
    + """
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
"""
)


def passes(text: str, **options: str) -> Result:
    result = run_script(text, options=settings(options))
    assert result.passed, result.failure
    return result


def fails(text: str, **options: str) -> Failure:
    result = run_script(text, options=settings(options))
    assert result.failure is not None
    return result.failure


def settings(options: dict[str, str]) -> list[Setting]:
    return [Setting(name, value, 0) for name, value in options.items()]


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


# -- times


def test_a_relative_time_counts_from_the_end_of_the_event_before() -> None:
    # The retransmission comes at 1.3 s although it may come later: what follows counts from when it came.
    passes(
        "`sysctl -q net.ipv4.tcp_early_retrans=0`"
        + ACCEPTED
        + """
        1.0 write(4, ..., 1000) = 1000
        1.0 > P. 1:1001(1000) ack 1
        1.2~1.6 > P. 1:1001(1000) ack 1
        +.1 < . 1:1(0) ack 1001 win 257
        1.4 close(4) = 0
        1.4 > F. 1001:1001(0) ack 1
        """
    )


def test_times_between_two_packets_that_go_in_do_not_add_up_errors() -> None:
    passes(ACCEPTED + "+.1 < . 1:1(0) ack 1 win 257\n+.1 < . 1:1(0) ack 1 win 257\n.3 close(4) = 0")


def test_a_packet_may_be_a_little_off_its_time() -> None:
    text = ACCEPTED + "+0 close(4) = 0\n{} > F. 1:1(0) ack 1"
    passes(text.format("+.003"))
    passes(text.format("+.009"), tolerance_usecs="10000")
    passes(text.format("+0~+.02"))
    passes(text.format("*"))
    failure = fails(text.format("+.01"))
    assert failure.reason == "0.010000 s too early; the tolerance is 0.004000 s"
    assert failure.expected == "0.110000 > F. 1:1(0) ack 1"
    assert failure.got == "0.100000 > F. 1:1(0) ack 1"
    assert failure.line == line_of(text, "> F.")


def test_the_tolerance_grows_with_the_time_since_the_event_before() -> None:
    # An eighth: after a second the SYN may come 125 ms off.
    script = """
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
    0 fcntl(3, F_SETFL, O_NONBLOCK) = 0
    0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
    0 > S 0:0(0) <...>
    {} > S 0:0(0) <...>
    """
    passes(script.format("1.1"))
    assert "too early" in fails(script.format("1.2")).reason
    assert "too early" in fails(script.format("1.1"), tolerance_percent="0").reason


def test_the_first_event_is_at_time_zero() -> None:
    assert fails("1 socket(..., SOCK_STREAM, 0) = 3").reason == "the first event must be at time 0"


def test_time_does_not_go_back() -> None:
    assert "time goes back" in fails("0 socket(..., SOCK_STREAM, 0) = 3\n.2 `true`\n.1 close(3) = 0").reason


def test_an_event_whose_time_is_past_fails() -> None:
    failure = fails(ACCEPTED + "+0 close(4) = 0\n* > F. 1:1(0) ack 1\n* > F. 1:1(0) ack 1\n.15 `true`")
    assert "the time for this is past" in failure.reason
    assert failure.expected == "at 0.150000"


def test_virtual_time_costs_nothing() -> None:
    assert passes(LISTEN + "3600 close(3) = 0").duration == 3600 * SECOND


# -- packets that come out


def test_a_packet_that_does_not_come() -> None:
    text = LISTEN + "+.5 > . 1:1(0) ack 1"
    failure = fails(text)
    assert failure.reason == "the packet did not come"
    assert failure.expected == "0.500000 > . 1:1(0) ack 1"
    assert failure.got == "nothing until 2.500000"


def test_a_packet_too_many_is_found_when_the_next_one_is_expected() -> None:
    failure = fails(ACCEPTED + "+0 write(4, ..., 100) = 100\n+.01 close(4) = 0\n+0 > F. 101:101(0) ack 1")
    assert failure.got == "0.100000 > P. 1:101(100) ack 1"


def test_packets_after_the_last_expectation_do_not_matter() -> None:
    passes(ACCEPTED + "+0 write(4, ..., 100) = 100")


def test_several_segments_make_up_for_a_large_one() -> None:
    text = ACCEPTED + "+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1"
    passes(text)
    assert fails(text, strict_segments="").reason == "the flags are ., not P."
    short = fails(ACCEPTED + "+0 write(4, ..., 2000) = 2000\n+0 > P. 1:2501(2500) ack 1")
    # What follows is the retransmission, which does not continue the stream.
    assert short.reason == "2000 bytes of payload, not 2500"


def test_what_a_script_does_not_say_is_not_checked() -> None:
    passes(LISTEN + "+0 < S 0:0(0) win 100 <mss 1000>\n+0 > S. 0:0(0) ack 1 <...>")
    passes(LISTEN + "+0 < S 0:0(0) win 100 <mss 1000>\n+0 > S. 0:0(0) ack 1 win 65535 <mss 1460>")


def test_sequence_numbers_count_from_both_isns() -> None:
    passes(
        LISTEN
        + """
        +0 < S 4294967290:4294967290(0) win 32792 <mss 1000>
        +0 > S. 700:700(0) ack 4294967291 <mss 1460>
        +.01 < . 1:1(0) ack 1 win 32792
        +0 accept(3, ..., ...) = 4
        +0 < P. 1:1001(1000) ack 1 win 32792
        +0 > . 1:1(0) ack 1001
        +0 read(4, ..., 2000) = 1000
        """
    )


def test_timestamps_are_the_scripts_own() -> None:
    text = """
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
    0...0.1 connect(3, ..., ...) = 0
    0 > S 0:0(0) <mss 1460,sackOK,TS val 4000000000 ecr 0,nop,wscale 8>
    0.1 < S. 0:0(0) ack 1 win 5792 <mss 1000,sackOK,TS val 9 ecr {echo},nop,wscale 7>
    0.1 > . 1:1(0) ack 1 <nop,nop,TS val {value} ecr 9>
    """
    passes(text.format(echo=4000000000, value=4000000100), tcp_ts_tick_usecs="1000")
    assert "TS val 4000000100" in fails(text.format(echo=4000000000, value=4000000200), tcp_ts_tick_usecs="1000").reason
    passes(text.format(echo=4000000000, value=4000000200))
    assert "ecr 5 echoes no timestamp that came out" in fails(text.format(echo=5, value=0)).reason
    passes(text.format(echo=3999999999, value=4000000100), tcp_ts_ecr_scaled="")


def test_the_payload_is_checked() -> None:
    # Written, sent, received and read bytes are a pattern of their place: a peek and a partial read keep it.
    passes(
        ACCEPTED
        + """
        +0 < P. 1:1001(1000) ack 1 win 257
        +0 > . 1:1(0) ack 1001
        +0 recv(4, ..., 300, MSG_PEEK) = 300
        +0 read(4, ..., 300) = 300
        +0 readv(4, [{..., 100}, {..., 600}], 2) = 700
        +0 writev(4, [{..., 100}, {..., 50}], 2) = 150
        +0 > P. 1:151(150) ack 1001
        """
    )


def test_fields_of_the_ip_header() -> None:
    passes(LISTEN + "+0 < S 0:0(0) win 100 <mss 1000>\n+0 > (tos 0x0,noecn,ttl 64) S. 0:0(0) ack 1 <...>")
    failure = fails(LISTEN + "+0 < S 0:0(0) win 100 <mss 1000>\n+0 > (tos 0x28) S. 0:0(0) ack 1 <...>")
    assert failure.reason == "the type of service is 0x0, not 0x28"
    failure = fails(LISTEN + "+0 < S 0:0(0) win 100 <mss 1000>\n+0 > (ect01) S. 0:0(0) ack 1 <...>")
    assert failure.reason == "the ECN field is 0, neither ECT(0) nor ECT(1)"


def test_ports_may_be_named() -> None:
    # A segment to a port where nobody listens is answered from that port.
    passes(LISTEN + "+0 < 1234 > 81 S 0:0(0) win 100 <mss 1000>\n+0 > 81 > 1234 R. 0:0(0) ack 1")


def test_connections_beside_the_first_are_named_by_their_ports() -> None:
    passes(
        LISTEN
        + """
        +0 < 1001 > 8080 S 0:0(0) win 1000 <mss 1000>
        +0 > 8080 > 1001 S. 0:0(0) ack 1 <mss 1460>
        +0 < 1002 > 8080 S 500:500(0) win 1000 <mss 1000>
        +0 > 8080 > 1002 S. 0:0(0) ack 501 <mss 1460>
        +0 < 1002 > 8080 . 1:1(0) ack 1 win 1000
        +0 < 1001 > 8080 . 1:1(0) ack 1 win 1000
        +0 accept(3, ..., ...) = 4
        +0 accept(3, ..., ...) = 5
        +0 write(4, ..., 10) = 10
        +0 > 8080 > 1002 P. 1:11(10) ack 1
        +0 < 1001 > 8080 P. 1:21(20) ack 1 win 1000
        +0 > 8080 > 1001 . 1:1(0) ack 21
        +0 read(5, ..., 100) = 20
        """
    )


@pytest.mark.parametrize("version", ["ipv4", "ipv6", "ipv4-mapped-ipv6", "ipv4_mapped_ipv6"])
def test_versions_of_ip_have_the_same_mss(version: str) -> None:
    passes(ACCEPTED, ip_version=version)


def test_a_script_that_chooses_ipv6_knows_its_mss() -> None:
    passes("--ip_version=ipv6\n" + ACCEPTED.replace("mss 1460", "mss 1440"))


# -- calls


def test_a_wrong_result() -> None:
    failure = fails(ACCEPTED + "+0 read(3, ..., 100) = 5")
    assert failure.reason == "the result of read is -1 ENOTCONN, not 5"
    assert (failure.expected, failure.got) == ("5", "-1 ENOTCONN")
    assert fails(LISTEN + "+0 close(3) = -1 EBADF").reason == "the result of close is 0, not -1 EBADF"


def test_descriptors_are_the_scripts_own() -> None:
    passes("0 socket(..., SOCK_STREAM, 0) = 77\n0 listen(77, 5) = 0\n0 close(77) = 0\n0 close(77) = -1 EBADF")
    assert "open already" in fails("0 socket(..., SOCK_STREAM, 0) = 3\n0 socket(..., SOCK_STREAM, 0) = 3").reason


def test_a_blocking_call_returns_at_its_time() -> None:
    text = LISTEN + "+0...{} accept(3, ..., ...) = 4\n+.1 < S 0:0(0) win 100 <mss 1000>\n+0 > S. 0:0(0) ack 1 <...>\n"
    text += "+.1 < . 1:1(0) ack 1 win 100\n+0 close(4) = 0"
    passes(text.format(".2"))
    failure = fails(text.format(".1"))
    assert failure.line == line_of(text, "accept")
    assert failure.reason == "accept returned at the wrong time; the tolerance is 0.012500 s"
    assert (failure.expected, failure.got) == ("at 0.100000", "at 0.200000")


def test_a_call_without_an_end_holds_the_script_until_it_returns() -> None:
    # connect waits through both retransmissions; the descriptor blocks.
    passes(
        """`sysctl -q net.ipv4.tcp_syn_retries=1`
        0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
        0 connect(3, ..., ...) = -1 ETIMEDOUT (Connection timed out)
        3 close(3) = 0
        """
    )


def test_a_socket_may_connect_again_after_a_failure() -> None:
    passes(
        """
        0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
        0...0.1 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)
        0 > S 0:0(0) <...>
        .1 < R. 0:0(0) ack 1 win 0
        .2....3 connect(3, ..., ...) = 0
        .2 > S 500:500(0) <...>
        .3 < S. 0:0(0) ack 501 win 1000 <mss 1000>
        .3 > . 1:1(0) ack 1
        """
    )


def test_a_call_that_never_returns() -> None:
    assert fails(LISTEN + "+0 accept(3, ..., ...) = 4").reason == "the call blocks for ever"
    text = LISTEN + "+0...1 accept(3, ..., ...) = 4"
    assert fails(text).reason == "the call still blocks at the end of the script"
    assert (
        fails(text + "\n+0...2 read(3, ..., 1) = 1").reason == "another call still blocks: there can be one at a time"
    )


def test_a_blocking_write_returns_when_all_is_taken() -> None:
    text = """
        .1 setsockopt(4, SOL_SOCKET, SO_SNDBUF, [10000], 4) = 0
        {} write(4, ..., 25000) = {}
        .2 < . 1:1(0) ack 10001 win 1000
        .3 < . 1:1(0) ack 20001 win 1000
    """
    passes(ACCEPTED + text.format(".1....3", 25000))
    passes(ACCEPTED + text.format(".1 fcntl(4, F_SETFL, O_NONBLOCK) = 0\n .1", 10000))


def test_timeouts_of_calls() -> None:
    passes(
        ACCEPTED
        + """
        .1 setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=300000}, 16) = 0
        .1....4 read(4, ..., 100) = -1 EAGAIN (Resource temporarily unavailable)
        .5....7 poll([{fd=4, events=POLLIN, revents=0}], 1, 200) = 0
        .8 poll([{fd=4, events=POLLOUT, revents=POLLOUT}], 1, 0) = 1
        """
    )


def test_options_are_compared() -> None:
    passes(ACCEPTED + "+0 getsockopt(4, SOL_SOCKET, SO_REUSEADDR, [0], [4]) = 0")
    passes(ACCEPTED + '+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, "cubic", [5]) = 0')
    passes(ACCEPTED + "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0\n"
           "+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, [8]) = 0")  # fmt: skip
    failure = fails(ACCEPTED + "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0")
    assert failure.reason == "the value of getsockopt is [0], not [104]"
    failure = fails(ACCEPTED + "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [8]) = 0")
    assert failure.reason == "the length of getsockopt is [4], not [8]"


def test_messages() -> None:
    passes(
        ACCEPTED
        + """
        +0 setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0
        +0 < P. 1:301(300) ack 1 win 257
        +0 > . 1:1(0) ack 301
        +0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0,
                       msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=200}]}, 0) = 100
        +0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 100}, {..., 20}], msg_flags=0}, 0) = 120
        +0 > P. 1:121(120) ack 301
        """
    )


def test_epoll() -> None:
    passes(
        ACCEPTED
        + """
        +0 epoll_create(1) = 5
        +0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0
        +0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = -1 EEXIST (File exists)
        +0...0.1 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 1000) = 1
        .2 < P. 1:301(300) ack 1 win 257
        .2 > . 1:1(0) ack 301
        .2 epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN|EPOLLET, ptr=7}) = 0
        .2 epoll_wait(5, {events=EPOLLIN, ptr=7}, 1, 0) = 1
        .2 epoll_wait(5, {events=EPOLLIN, ptr=7}, 1, 0) = 0
        .3 < P. 301:601(300) ack 1 win 257
        .3 epoll_wait(5, {events=EPOLLIN, ptr=7}, 1, 0) = 1
        .3 epoll_ctl(5, EPOLL_CTL_DEL, 4, {events=EPOLLIN, fd=4}) = 0
        .3 close(5) = 0
        """
    )


def test_splice_and_sendfile(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(700))
    passes(
        ACCEPTED
        + f"""
        .1 pipe([5, 6]) = 0
        .1....2 splice(4, 0, 6, 0, 1000, SPLICE_F_MOVE) = 300
        .2 < P. 1:301(300) ack 1 win 257
        .2 > . 1:1(0) ack 301
        .2 splice(5, 0, 4, 0, 200, 0) = 200
        .2 > P. 1:201(200) ack 301
        .2 close(5) = 0
        .3 < . 301:301(0) ack 201 win 257
        .3 open("{file}", O_RDONLY) = 7
        .3 sendfile(4, 7, [100], 1000) = 600
        .3 > P. 201:801(600) ack 301
        .3 open("{file}.missing", O_RDONLY) = -1 ENOENT (No such file or directory)
        """
    )


def test_a_linger_makes_close_wait() -> None:
    passes(
        ACCEPTED
        + """
        .1 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=10}, 8) = 0
        .1....3 close(4) = 0
        .1 > F. 1:1(0) ack 1
        .3 < . 1:1(0) ack 2 win 257
        """
    )


def test_addresses() -> None:
    local = '{sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.168.0.1")}'
    passes(ACCEPTED + f"+0 getsockname(4, {local}, [16]) = 0")
    failure = fails(ACCEPTED + f"+0 getpeername(4, {local}, [16]) = 0")
    assert "the address of getpeername is 192.0.2.1 port" in failure.reason


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 frobnicate(3) = 0", "the system call frobnicate is not supported"),
        ("0 socket(..., SOCK_STREAM) = 3", "socket takes 3 arguments; here are 2"),
        ("0 socket(..., SOCK_FOO, 0) = 3", "SOCK_FOO is not a constant that netglass knows"),
        ("0 close(3) = -1 EFOO (what)", "EFOO is not an error that netglass knows"),
        ("0 socket(..., SOCK_STREAM, 0) = 3\n0 bind(3, 5, 16) = 0", "as the address"),
    ],
)
def test_calls_that_mean_nothing(text: str, problem: str) -> None:
    assert problem in fails(text).reason


# -- ICMP and UDP


def test_path_mtu() -> None:
    failure = fails(ACCEPTED + "+0 < icmp unreachable frag_wanted [1:1(0)]")
    assert "ICMPv4 unreachable has no code frag_wanted" in failure.reason


def test_a_closed_udp_port_answers_with_icmp() -> None:
    passes(
        """
        0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
        0 bind(3, ..., ...) = 0
        0 < udp 999 > 8081 (10)
        0 > icmp unreachable port_unreachable
        0 < udp 999 > 8080 (10)
        0 read(3, ..., 100) = 10
        """
    )


# -- commands


def test_sysctl_sets_the_hosts_configuration() -> None:
    for command in (
        "sysctl -q net.ipv4.tcp_sack=0",
        "sysctl -w net.ipv4.tcp_sack=0 net.ipv4.tcp_timestamps=1",
        "sysctl -w net/ipv4/tcp_sack=0 >/dev/null 2>&1",
        "./set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0",
        "echo 0 > /proc/sys/net/ipv4/tcp_sack",
        "../common/defaults.sh; sysctl -q net.ipv4.tcp_sack=0 && true",
        "ethtool -K tun0 tso off gso off\nip tcp_metrics flush all > /dev/null 2>&1\nsysctl -q net.ipv4.tcp_sack=0",
    ):
        passes(f"`{command}`\n" + ACCEPTED.replace("mss 1460,nop,nop,sackOK", "mss 1460"))


def test_sysctl_with_several_numbers() -> None:
    config = HostConfig()
    text = """0 `sysctl -q net.ipv4.tcp_rmem="4096 8192 16384" net.ipv4.tcp_sack=0`
              0 `sysctl -w 'net.ipv4.tcp_wmem=1 2 3'`"""
    assert run_script(text, config=config).passed
    assert (config.tcp.rmem, config.tcp.wmem, config.tcp.sack) == ((4096, 8192, 16384), (1, 2, 3), False)


def test_the_states_of_sockets_are_counted() -> None:
    passes(ACCEPTED + "+0 `sockets ESTABLISHED 1`\n+0 `sockets LISTEN 1`\n+0 `sockets TIME-WAIT 0`")
    failure = fails(ACCEPTED + "+0 `sockets ESTABLISHED 2`")
    assert failure.reason == "1 sockets in ESTABLISHED, not 2"
    assert failure.got == "ESTABLISHED 1, LISTEN 1"


def test_time_passes_in_sleep() -> None:
    assert passes("0 `sleep 0.25`\n+0 `true`").duration == 250 * MILLISECOND


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("tc qdisc add dev tun0 root netem", "the command 'tc qdisc add dev tun0 root netem' means nothing"),
        ("ip link set tun0 mtu 1400", "ip link set tun0 mtu 1400"),
        ("./run.sh", "./run.sh"),
        ("ethtool -K tun0 tso on", "ethtool -K tun0 tso on"),
        ("sysctl net.ipv4.tcp_frobnicate=1", "tcp_frobnicate"),
        ("sysctl -w net.ipv4.tcp_sack=maybe", "tcp_sack"),
        ("sysctl -a", "sets nothing"),
        ("sysctl -w net.ipv4.tcp_sack=0; ./defaults.sh", "after a sysctl"),
        ("sockets MANY", "`sockets STATE COUNT`"),
    ],
)
def test_other_commands_are_errors_that_name_them(command: str, problem: str) -> None:
    assert problem in fails(f"0 `{command}`").reason


def test_the_closing_command_runs_last() -> None:
    passes("`defaults.sh`\n0 `sysctl -q net.ipv4.tcp_sack=0`\n`/tmp/sysctl_restore_1.sh`")


# -- code


def test_code_sees_tcp_info_and_what_code_before_it_set() -> None:
    passes(
        ACCEPTED + "+0 %{ before = tcpi_rcv_wscale }%\n+0 %{ assert before == 8 and tcpi_state == TCP_ESTABLISHED }%"
    )


def test_code_that_fails_shows_its_line_and_the_values() -> None:
    text = ACCEPTED + "+0 %{\nx = 1\nassert tcpi_state == 7, 'no'\n}%"
    failure = fails(text)
    assert failure.reason == f"the code failed: AssertionError: no at line {line_of(text, 'assert')}"
    assert failure.got == "tcpi_state = 1"


def test_code_needs_a_socket() -> None:
    assert "no open TCP socket" in fails("0 %{ pass }%").reason


# -- settings


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("--mtu=5", "an MTU lies between 68 and 65535"),
        ("--mtu=many", "invalid literal"),
        ("--ip_version=ipv5", "choose ipv4, ipv6 or ipv4-mapped-ipv6"),
        ("--local_ip=nowhere", "not an address"),
        ("--wire_server", "there is no such option, or it is not supported"),
        ("--non_fatal=all", "choose packet, syscall or packet,syscall"),
    ],
)
def test_settings_that_make_no_sense(option: str, problem: str) -> None:
    failure = fails(f"\n{option}\n0 `true`")
    assert problem in failure.reason
    assert failure.line == 2


def test_the_command_line_goes_over_the_script() -> None:
    text = "--mtu=1400\n" + ACCEPTED
    assert "mss 1360" in fails(text).got
    passes(text, mtu="1500")


def test_addresses_and_ports_are_settings() -> None:
    passes(
        "--local_ip=10.1.1.1\n--remote_ip=10.1.2.2/24\n--netmask_ip=255.255.255.0\n--bind_port=99\n"
        + ACCEPTED
        + '+0 getsockname(4, {sa_family=AF_INET, sin_port=htons(99), sin_addr=inet_addr("10.1.1.1")}, [16]) = 0'
    )


def test_differences_that_are_not_fatal_are_warnings() -> None:
    text = ACCEPTED + "+0 close(9) = 0\n+0 close(4) = 0\n+0 > F. 5:5(0) ack 1"
    result = passes(text, non_fatal="packet,syscall")
    assert [warning.line for warning in result.warnings] == [line_of(text, "close(9)"), line_of(text, "> F.")]
    assert fails(text, non_fatal="packet").line == line_of(text, "close(9)")


def test_a_dry_run_only_reads() -> None:
    passes("0 close(99) = 0", dry_run="")


def test_what_is_not_supported_says_so() -> None:
    assert fails(LISTEN + "+0 < S 0:0(0) win 5/udp(1 > 2)").reason == "TCP over UDP is not supported"
    assert "MD5" in fails(LISTEN + "+0 < S 0:0(0) win 5 <md5 valid>").reason


# -- many scripts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "good.pkt").write_text("0 `true`")
    (tmp_path / "deep" / "bad.pkt").write_text("0 close(9) = 0")
    (tmp_path / "other.txt").write_text("")
    return tmp_path


def test_directories_are_searched(folder: Path) -> None:
    assert scripts([folder]) == [folder / "deep" / "bad.pkt", folder / "good.pkt"]
    with pytest.raises(Exception, match="no such file"):
        scripts([folder / "none.pkt"])


def test_results_come_in_order_also_from_several_processes(folder: Path) -> None:
    files = scripts([folder])
    for jobs in (1, 2):
        results = list(play_all(files, [], jobs))
        assert [result.passed for result in results] == [False, True]
    assert summary(results) == "2 scripts: 1 passed, 1 failed, in 0 ns of virtual time"


def test_an_error_of_ours_is_a_failure_of_the_script(folder: Path) -> None:
    result = play(folder / "missing.pkt")
    assert result.failure is not None
    assert "netglass itself failed: FileNotFoundError" in result.failure.reason


def test_arguments_of_the_command_line() -> None:
    files, given = split_arguments(["a.pkt", "--mtu=1200", "--ip_version", "ipv6", "--strict_segments", "b.pkt"])
    assert files == [Path("a.pkt"), Path("b.pkt")]
    assert given == [Setting("mtu", "1200", 0), Setting("ip_version", "ipv6", 0), Setting("strict_segments", "", 0)]


def test_a_result_is_plain_values_for_json() -> None:
    failed = run_script("0 close(9) = 0").as_json()
    assert failed["passed"] is False
    assert failed["failure"] == {
        "line": 1,
        "reason": "the result of close is -1 EBADF, not 0",
        "expected": "0",
        "got": "-1 EBADF",
    }


def test_the_dialogue_can_be_heard() -> None:
    heard: list[str] = []
    assert run_script(ACCEPTED, say=heard.append).passed
    assert "0.000000 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>" in heard
    assert heard[-1] == "0.100000 accept(3, ..., ...) = 4"
