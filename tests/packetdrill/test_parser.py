"""The language: what a script's text means, and what is said of text that means nothing."""

from __future__ import annotations

import pytest

from netglass.packetdrill.notation import packet_text, when_text
from netglass.packetdrill.parser import parse_script
from netglass.packetdrill.script import (
    Action,
    Array,
    Call,
    Clock,
    Code,
    Command,
    Either,
    Event,
    Field,
    IcmpPacket,
    Name,
    ScriptError,
    Setting,
    Struct,
    SystemCall,
    TcpPacket,
    Text,
    UdpPacket,
    Wildcard,
)
from netglass.wire.tcp import ACK, AE, CWR, ECE, PSH, SYN


def event(line: str) -> Event:
    (only,) = parse_script(line).events
    return only


def action(text: str) -> Action:
    return event(f"0 {text}").action


def tcp(text: str) -> TcpPacket:
    packet = action(text)
    assert isinstance(packet, TcpPacket)
    return packet


def call(text: str) -> SystemCall:
    made = action(text)
    assert isinstance(made, SystemCall)
    return made


def refusal(text: str) -> str:
    with pytest.raises(ScriptError) as caught:
        parse_script(text, "a.pkt")
    return str(caught.value)


# -- times


@pytest.mark.parametrize(
    ("text", "clock", "start", "end"),
    [
        ("0", Clock.ABSOLUTE, 0, None),
        ("1.5", Clock.ABSOLUTE, 1_500_000_000, None),
        (".25", Clock.ABSOLUTE, 250_000_000, None),
        ("+0.000001", Clock.RELATIVE, 1_000, None),
        ("+2", Clock.RELATIVE, 2_000_000_000, None),
        ("0.1~0.3", Clock.ABSOLUTE, 100_000_000, 300_000_000),
        ("+0~+0.045", Clock.RELATIVE, 0, 45_000_000),
        ("*", Clock.ANY, 0, None),
    ],
)
def test_times(text: str, clock: Clock, start: int, end: int | None) -> None:
    when = event(f"{text} > . 1:1(0) ack 1").when
    assert (when.clock, when.start, when.end) == (clock, start, end)


def test_a_time_is_exact() -> None:
    assert event("0.1234567891 > . 1:1(0)").when.start == 123_456_789


def test_a_blocking_call_has_an_end() -> None:
    blocking = event("0.1...0.25 read(4, ..., 1000) = 1000").action
    assert isinstance(blocking, SystemCall)
    assert blocking.end == 250_000_000
    assert call("read(4, ..., 1000) = 1000").end is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0.3~0.1 > . 1:1(0)", "ends before it begins"),
        ("+0.1~0.3 > . 1:1(0)", "both relative"),
        ("* < . 1:1(0) win 5", "only a packet that comes out"),
        ("0~1 close(3) = 0", "a range of times is for packets that come out"),
        ("-1 close(3) = 0", "-1 is no time"),
        ("close(3) = 0", "expected a time in seconds"),
    ],
)
def test_times_that_make_no_sense(text: str, problem: str) -> None:
    assert problem in refusal(text)


# -- segments


def test_a_segment() -> None:
    packet = tcp("< P. 1:1001(1000) ack 501 win 257 urg 3")
    assert packet.flags == PSH | ACK
    assert (packet.seq, packet.length, packet.ack, packet.window, packet.urgent) == (1, 1000, 501, 257, 3)
    assert packet.options == ()


@pytest.mark.parametrize(
    ("text", "flags", "ace"),
    [
        (".", ACK, None),
        ("S", SYN, None),
        ("S.", SYN | ACK, None),
        ("SEW", SYN | ECE | CWR, None),
        ("SEWA", SYN | ECE | CWR | AE, None),
        ("-", 0, None),
        ("P.5", PSH | ACK | AE | ECE, 5),
        (".2", ACK | CWR, 2),
    ],
)
def test_flags(text: str, flags: int, ace: int | None) -> None:
    packet = tcp(f"> {text} 1:1(0) ack 1")
    assert (packet.flags, packet.ace) == (flags, ace)


def test_what_a_packet_that_comes_out_may_leave_open() -> None:
    packet = tcp("> S. ...(0) ack 1 <...>")
    assert packet.seq is None
    assert packet.window is None
    assert packet.options is None


@pytest.mark.parametrize(
    "text",
    [
        "mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8",
        "nop,nop,sack 1:2 3:4",
        "FO 0123456789abcdef,nop,nop",
        "FO,nop,nop",
        "FOEXP 0123456789abcdef",
        "eol,eol,eol,eol",
        "ECN e0b 1 ceb 2 e1b 3,nop",
        "ECN e1b 7,nop,nop,nop",
        "md5 000102030405060708090a0b0c0d0e0f,nop,nop",
    ],
)
def test_options_are_read_and_written(text: str) -> None:
    line = f"> . 1:1(0) ack 1 <{text}>"
    assert packet_text(tcp(line), 4) == line


@pytest.mark.parametrize(
    "line",
    [
        "< S 0:0(0) win 32792 <mss 1460>",
        "> (tos 0x2,ttl 64) P. 4294967295:9(10) ack 7 win 5 urg 1",
        "> (ect01) . 1:1(0) ack 1",
        "> (flowlabel 0xabc) . 1:1(0) ack 1",
        "< 1234 > 80 S 0:0(0) win 5",
        "> udp 53 > 1234 (12)",
        "< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]",
        "< icmp unreachable port_unreachable [udp(10)]",
        "> icmp echo_reply id 7",
    ],
)
def test_packets_are_written_as_they_are_read(line: str) -> None:
    packet = action(line)
    assert isinstance(packet, TcpPacket | UdpPacket | IcmpPacket)
    assert packet_text(packet, 4) == line


def test_the_ip_header_may_stand_in_brackets() -> None:
    assert tcp("> [ect0] . 1:1(0) ack 1").ip == tcp("> (ect0) . 1:1(0) ack 1").ip
    assert tcp(">[noecn] . 1:1(0) ack 1").ip.ecn == 0
    assert tcp("> (hlim 5) . 1:1(0)").ip == tcp("> (ttl 5) . 1:1(0)").ip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("> . 1:5(3)", "1:5(3) does not add up: 3 bytes from 1 end at 4"),
        ("> X 1:1(0)", "'X' in 'X' is no flag"),
        ("> E5 1:1(0)", "write one digit or the letters"),
        ("< . 1:1(0) ack 1", "needs a window"),
        ("< . 1:1(0) win 5 <...>", "only a segment that comes out"),
        ("< . ...(0) win 5", "only a segment that comes out"),
        ("< (ect01) . 1:1(0) win 5", "only a packet that comes out"),
        ("> . 1:1(0) <mss 1460,nop>", "no multiple of four"),
        ("> . 1:1(0) <mss 70000>", "does not fit into 16 bits"),
        ("> . 1:1(0) <mxx 7>", "'mxx' is no TCP option; there are nop, eol, sackOK, mss"),
        ("> . 1:1(0) <sack 1:2 3:4 5:6 7:8,TS val 1 ecr 1>", "has room for 40"),
        ("> . 1:1(0) <FO abc>", "even number of hexadecimal digits"),
        ("> . 5000000000:5000000000(0)", "does not fit into 32 bits"),
        ("> (colour 5) . 1:1(0)", "no field of the IP header"),
        ("> gre: . 1:1(0)", "gre encapsulation is not supported"),
    ],
)
def test_packets_that_make_no_sense(text: str, problem: str) -> None:
    assert problem in refusal(f"0 {text}")


# -- calls


def test_a_call() -> None:
    made = call("fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0")
    assert made.arguments == (3, Name("F_SETFL"), Either((Name("O_RDWR"), Name("O_NONBLOCK"))))
    assert made.result == 0


def test_a_result_may_name_an_error_and_explain_it() -> None:
    made = call("read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)")
    assert (made.result, made.errno, made.note) == (-1, "EAGAIN", "Resource temporarily unavailable")
    assert call("fcntl(3, F_GETFL) = 0x02 (flags O_RDWR)").result == 2


def test_structures() -> None:
    made = call('bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("10.0.0.1")}, ...) = 0')
    assert made.arguments[1] == Struct(
        (
            Field("sa_family", Name("AF_INET")),
            Field("sin_port", Call("htons", 80)),
            Field("sin_addr", Call("inet_addr", Text(b"10.0.0.1"))),
        )
    )
    made = call("recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}, 0) = 100")
    message = made.arguments[1]
    assert isinstance(message, Struct)
    assert message.find("msg_iov") == Array((Struct((Field("", Wildcard()), Field("", 100))),))


def test_texts() -> None:
    made = call('setsockopt(3, SOL_TCP, TCP_CONGESTION, "re" "no\\x21\\n", 5) = 0')
    assert made.arguments[3] == Text(b"reno!\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("close 3) = 0", "expected '('"),
        ("close(3 = 0", "expected ','"),
        ("close(3)", "expected '='"),
        ("read(3, ..., 5) = -1 EAGAIN (oh", "the note in parentheses has no end"),
        ("close(*) = 0", "expected a value"),
        ('write(3, "abc, 5) = 5', "has no end"),
    ],
)
def test_calls_that_make_no_sense(text: str, problem: str) -> None:
    assert problem in refusal(f"0 {text}")


# -- scripts


def test_a_whole_script() -> None:
    script = parse_script(
        """// a comment
        --ip_version=ipv6
        --tolerance_usecs=10000 // another one
        `opening`
        0 `sysctl -w a=b
           c=d`
        /* a long
           comment */
        +0 %{ assert True }%
        +0 close(3) = 0   // the last
        `closing`
        """
    )
    assert script.settings == (Setting("ip_version", "ipv6", 2), Setting("tolerance_usecs", "10000", 3))
    assert script.opening == (4, Command("opening"))
    assert script.closing == (11, Command("closing"))
    assert [each.line for each in script.events] == [5, 9, 10]
    assert script.events[1].action == Code("assert True ".strip())


def test_words_are_defined_in_the_script_and_from_outside() -> None:
    text = """--define=CC="reno"
              --define=SIZE=1000
              0 setsockopt(3, SOL_TCP, TCP_CONGESTION, CC, 4) = 0
              0 write(3, ..., SIZE) = SIZE"""
    first, second = (each.action for each in parse_script(text).events)
    assert isinstance(first, SystemCall)
    assert first.arguments[3] == Text(b"reno")
    assert isinstance(second, SystemCall)
    assert second.result == 1000
    other = parse_script(text, defines={"SIZE": "7"}).events[1].action
    assert isinstance(other, SystemCall)
    assert other.result == 7


def test_a_definition_may_use_another_but_not_itself() -> None:
    made = parse_script("0 close(A) = 0", defines={"A": "B", "B": "A"}).events[0].action
    assert isinstance(made, SystemCall)
    assert made.arguments == (Name("A"),)


def test_messages_name_file_and_line() -> None:
    assert refusal("\n\n0 close(3)").startswith("a.pkt:3: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the script has no events"),
        ("--mtu=1500", "the script has no events"),
        ("0 close(3) = 0 `one` `two`", "after the last command"),
        ("0 = 5", "expected < or > and a packet"),
    ],
)
def test_scripts_that_make_no_sense(text: str, problem: str) -> None:
    assert problem in refusal(text)


def test_times_are_told_in_seconds() -> None:
    assert when_text(event("0.1 > . 1:1(0)").when) == "0.100000"
    assert when_text(event("0.1~0.2 > . 1:1(0)").when) == "0.100000~0.200000"
    assert when_text(event("* > . 1:1(0)").when) == "*"
