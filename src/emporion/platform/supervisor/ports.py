"""Ports that nobody listens on."""

import socket
from dataclasses import dataclass
from typing import Final

LOOPBACK: Final = "127.0.0.1"


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
    """A port that was free a moment ago; whoever takes it must bear that it may be gone."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as taken:
        taken.bind((host, 0))
        port: int = taken.getsockname()[1]
        return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError:
            return False
        return True
