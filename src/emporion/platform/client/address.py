"""Where a shop listens, taken from a URL."""

import ssl
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from emporion.kernel.errors import InvalidArgument


class BadUrl(InvalidArgument):
    """The text is not the URL of a shop."""

    slug = "bad-url"
    title = "This is not the URL of a shop; write it as http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Address:
    """Scheme, host and port of a shop; `prefix` is what stands before `/api`, mostly nothing."""

    host: str
    port: int
    is_tls: bool = False
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address in `http[s]://host[:port][/prefix]`. Raises BadUrl."""
        parts = urlsplit(url.strip())
        is_tls = parts.scheme == "https"
        try:
            port = parts.port or (443 if is_tls else 80)
        except ValueError as error:
            raise BadUrl(f"{url!r}: the port is not a number from 0 to 65535") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadUrl(f"{url!r} is not the URL of a shop; write it as http://127.0.0.1:8080")
        if parts.query or parts.fragment or parts.username is not None:
            raise BadUrl(f"{url!r}: leave out user, query and fragment")
        return cls(parts.hostname, port, is_tls, parts.path.rstrip("/"))

    @property
    def host_header(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"

    @property
    def tls(self) -> ssl.SSLContext | None:
        """A verifying TLS context, or None for plain HTTP."""
        return ssl.create_default_context() if self.is_tls else None

    def __str__(self) -> str:
        """The URL."""
        return f"{'https' if self.is_tls else 'http'}://{self.host_header}{self.prefix}"
