"""The door of a server: a listening socket, and how it closes without slamming."""

import ctypes
import socket
import struct
import sys
from typing import Final

from emporion.kernel.errors import Unavailable

_ATTACH_FILTER: Final = 26
"""SO_ATTACH_FILTER of Linux on x86 and ARM; Python does not name it."""
_INSTRUCTIONS: Final = (
    # code, jump if true, jump if false, operand: a program of Linux's classic packet filter
    (0x30, 0, 0, 13),  # load the byte of the TCP header that holds its flags
    (0x45, 0, 1, 0x02),  # is SYN among them?
    (0x06, 0, 0, 0),  # then drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # otherwise take all of it
)


class AddressInUse(Unavailable):
    """Another process listens there (or the port needs more rights)."""

    slug = "address-in-use"
    title = "The address cannot be listened on"


def listen(host: str, port: int, *, backlog: int) -> socket.socket:
    """A listening socket that does not block; port 0 takes a free one. Raises AddressInUse."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(backlog)
        listener.settimeout(0)
    except (OSError, OverflowError) as error:
        listener.close()
        raise AddressInUse(f"cannot listen on {host}:{port}: {error}") from error
    return listener


def turn_away(listener: socket.socket) -> bool:
    """Let nobody into the queue any more, while those who stand in it can still be served.

    To close a listening socket resets the connections that wait to be accepted: their clients
    have sent a request and get no answer. So new connections are first kept out by a packet
    filter; their clients knock again, and find the door closed before they have said anything.
    Linux only, False elsewhere: there a client can be cut off in the instant of the closing.
    """
    if sys.platform != "linux":
        return False
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _INSTRUCTIONS)
    code = ctypes.create_string_buffer(program)
    described = struct.pack("HP", len(_INSTRUCTIONS), ctypes.addressof(code))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, described)
    except OSError:
        return False  # a sandbox may forbid it; then it is as on other systems
    return True
