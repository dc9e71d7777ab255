"""Ports that nobody listens on."""

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
EVERYWHERE: Final[Mapping[str, str]] = {"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}  # noqa: S104 - named, not bound
"""Addresses that mean all of this machine's, and one of them to connect to."""
FIRST_PORT: Final = 10_000
TRIES: Final = 100
EPHEMERAL_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


class NoFreePort(OSError):
    """Everything tried is listened on."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a server listens, and the address by which the others reach it."""

    listen: str = LOOPBACK
    address: str = LOOPBACK

    @property
    def in_url(self) -> str:
        """The address as a URL writes it."""
        return bracketed(self.address)


HERE: Final = Where()
"""Nobody beyond this machine."""


def bracketed(host: str) -> str:
    """A host as a URL writes it."""
    return f"[{host}]" if ":" in host else host


def free_port(host: str = LOOPBACK) -> int:
    """A port that was free a moment ago, and that no outgoing connection takes meanwhile.

    The system gives a connection any port of its ephemeral range, also one that a server
    is about to listen on, so this one lies below. Two that ask at once may still, once in some
    20,000 times, get the same: whoever listens must bear that.
    """
    end = _first_ephemeral()
    for _ in range(TRIES):
        port = FIRST_PORT + secrets.randbelow(end - FIRST_PORT)
        if is_free(port, host):
            return port
    raise NoFreePort(f"none of {TRIES} ports tried between {FIRST_PORT} and {end} is free")


def _first_ephemeral() -> int:
    """From where on the system itself gives ports away; where it does not say, IANA's 49152."""
    try:
        first = int(EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 49_152
    return first if first > FIRST_PORT + TRIES else 65_536


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError:
            return False
        return True
