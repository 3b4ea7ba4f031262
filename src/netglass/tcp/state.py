"""The eleven states of RFC 9293 §3.3.2 and every way between them, as data.

`TRANSITIONS` feeds `set_state`, the drawn diagram and the property test.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    """A connection's state; the value is the RFC's name."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"


CLOSED: Final = State.CLOSED
LISTEN: Final = State.LISTEN
SYN_SENT: Final = State.SYN_SENT
SYN_RECEIVED: Final = State.SYN_RECEIVED
ESTABLISHED: Final = State.ESTABLISHED
FIN_WAIT_1: Final = State.FIN_WAIT_1
FIN_WAIT_2: Final = State.FIN_WAIT_2
CLOSE_WAIT: Final = State.CLOSE_WAIT
CLOSING: Final = State.CLOSING
LAST_ACK: Final = State.LAST_ACK
TIME_WAIT: Final = State.TIME_WAIT

# RFC 9293 figure 5 and the text of §3.10. Every state may also fall to CLOSED (RST, abort, timeout): that is not
# repeated here.
TRANSITIONS: Final[dict[State, tuple[State, ...]]] = {
    CLOSED: (LISTEN, SYN_SENT, SYN_RECEIVED),
    LISTEN: (SYN_SENT, SYN_RECEIVED),
    SYN_SENT: (SYN_RECEIVED, ESTABLISHED),
    SYN_RECEIVED: (ESTABLISHED, FIN_WAIT_1, LISTEN),
    ESTABLISHED: (FIN_WAIT_1, CLOSE_WAIT),
    FIN_WAIT_1: (FIN_WAIT_2, CLOSING, TIME_WAIT),
    FIN_WAIT_2: (TIME_WAIT,),
    CLOSE_WAIT: (LAST_ACK,),
    CLOSING: (TIME_WAIT,),
    LAST_ACK: (),
    TIME_WAIT: (),
}


def allowed(old: State, new: State) -> bool:
    return new is CLOSED or new in TRANSITIONS[old]
