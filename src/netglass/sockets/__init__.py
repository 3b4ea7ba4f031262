"""The BSD socket calls on one host, without waiting: `Sockets`."""

from netglass.sockets.address import Address
from netglass.sockets.description import Description, Message
from netglass.sockets.sockets import TO_ACCEPT, TO_CONNECT, TO_RECEIVE, TO_SEND, Sockets

__all__ = ["TO_ACCEPT", "TO_CONNECT", "TO_RECEIVE", "TO_SEND", "Address", "Description", "Message", "Sockets"]
