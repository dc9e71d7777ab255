"""Posts to servers outside: the address that was checked is the one connected to.

One connection for each request, no redirects, no proxies, a limit on what is read of the answer.
A name is resolved once; each of its addresses must be allowed, so that a name which points into
our own network is refused however it is spelt, and cannot point elsewhere a moment later.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httptools

from emporion.kernel.errors import FailedPrecondition, Unavailable

ANSWER_BYTES_MAX = 64 * 1024
"""Beyond this the connection is closed: nobody needs more to say whether it took a message."""
KEPT_BYTES = 512
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(FailedPrecondition):
    """The name points to an address that we do not connect to."""

    slug = "address-refused"
    title = "Nothing is sent to this address"


class NoAnswer(Unavailable):
    """Refused, reset, timed out, garbled or too long: the outcome is unknown."""

    slug = "no-answer"
    title = "There was no usable answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the headers that a sender obeys; `start` of the body."""

    status: int
    retry_after: str
    start: str


def is_public(address: Address) -> bool:
    """Whether an address belongs to somebody outside: no private net, loopback or link-local."""
    if not address.is_global or address.is_multicast:
        return False
    return all(is_public(inner) for inner in _inside(address))


def _inside(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, 6to4, NAT64."""
    if address.version == 4:  # noqa: PLR2004 - the version of IP
        return []
    found: list[Address] = [
        inner for inner in (address.ipv4_mapped, address.sixtofour) if inner is not None
    ]
    if address in NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found


class Poster:
    """Posts. `is_allowed` says to which addresses."""

    def __init__(
        self, is_allowed: Callable[[Address], bool], *, context: ssl.SSLContext | None = None
    ) -> None:
        self._is_allowed = is_allowed
        self._context = context or ssl.create_default_context()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float
    ) -> Answer:
        """One request and its answer. Raises AddressRefused, or NoAnswer saying why."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(urlsplit(url), headers, body)
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {timeout_s:g} s") from error
        except (OSError, EOFError, ssl.SSLError) as error:
            raise NoAnswer(_said(error)) from error

    async def _post(self, url: SplitResult, headers: Mapping[str, str], body: bytes) -> Answer:
        host, is_tls = url.hostname or "", url.scheme == "https"
        port = url.port or (443 if is_tls else 80)
        address = await self._address(host, port)
        reader, writer = await asyncio.open_connection(
            str(address),
            port,
            ssl=self._context if is_tls else None,
            server_hostname=host if is_tls else None,
        )
        try:
            writer.write(_head(url, headers, len(body)) + body)
            await writer.drain()
            return await _answer(reader)
        finally:
            writer.close()

    async def _address(self, host: str, port: int) -> Address:
        """The first address of a name, when all of them are allowed."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        for address in addresses:
            if not self._is_allowed(address):
                raise AddressRefused(f"{host} is {address}, which is not reached from here")
        if not addresses:
            raise NoAnswer(f"{host} has no address")
        return addresses[0]


class _Reading:
    """What httptools tells of an answer."""

    def __init__(self) -> None:
        self.retry_after = ""
        self.start = b""
        self.is_done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        if name.lower() == b"retry-after":
            self.retry_after = value.decode("latin-1")[:100]

    def on_body(self, part: bytes) -> None:
        """A part of the body: only its start is kept."""
        self.start = (self.start + part)[:KEPT_BYTES]

    def on_message_complete(self) -> None:
        """All of it was read."""
        self.is_done = True


async def _answer(reader: asyncio.StreamReader) -> Answer:
    reading = _Reading()
    parser = httptools.HttpResponseParser(reading)
    read_bytes = 0
    while not reading.is_done and read_bytes < ANSWER_BYTES_MAX:
        data = await reader.read(16 * 1024)
        if not data:
            break
        read_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise NoAnswer(f"no HTTP answer: {error}") from error
    status = parser.get_status_code()
    if not status:
        raise NoAnswer("the connection was closed without an answer")
    return Answer(status, reading.retry_after, _printable(reading.start))


def _head(url: SplitResult, headers: Mapping[str, str], length: int) -> bytes:
    target = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
    host = url.netloc.rpartition("@")[2]
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "Connection: close", "", ""])).encode("latin-1")


def _printable(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text).strip()


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
