"""Cookies: read from a request, and written so that no script and no other site gets at them."""

from typing import Final

from emporion.chassis.http.exchange import Header

NAMES_MAX: Final = 50
FOREVER_S: Final = 400 * 24 * 3_600
"""As long as browsers keep a cookie at most."""
_PLAIN: Final = frozenset("!#$%&'()*+-./:<=>?@[]^_`{|}~")


class Cookies:
    """The cookies of the shop: HttpOnly, SameSite=Lax, for this host only.

    Args:
        is_secure: whether browsers may send them over TLS only. Then their names begin with
            `__Host-`, so that no neighbouring host can set them. Off for plain HTTP on loopback.
        realm: how their plain names begin, where several sites share a host.
    """

    def __init__(self, *, is_secure: bool, realm: str = "") -> None:
        self._prefix = ("__Host-" if is_secure else "") + realm
        self._flags = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if is_secure else "")

    def read(self, header: bytes | None) -> dict[str, str]:
        """The shop's cookies of a Cookie header by their plain names; the first of a name counts.

        What is malformed is left out.
        """
        found: dict[str, str] = {}
        for pair in (header or b"").decode("latin-1").replace(",", ";").split(";")[:NAMES_MAX]:
            name, equals, value = pair.strip().partition("=")
            if equals and name.startswith(self._prefix):
                found.setdefault(name.removeprefix(self._prefix), value)
        return found

    def written(self, name: str, value: str, *, max_age_s: int) -> Header:
        """The header that sets a cookie. Raises ValueError for a value that would end it."""
        if not all(char.isascii() and (char.isalnum() or char in _PLAIN) for char in value):
            raise ValueError(f"the cookie {name} cannot hold that")
        text = f"{self._prefix}{name}={value}; Max-Age={max_age_s}{self._flags}"
        return (b"set-cookie", text.encode("ascii"))

    def cleared(self, name: str) -> Header:
        """The header that takes a cookie away."""
        return self.written(name, "", max_age_s=0)
