"""Where webhooks may be sent, as far as a URL alone can say."""

from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HOOKS_MAX = 100
"""Each has a few connections of its own at a time."""


def mistake_in(url: str, *, is_http_allowed: bool) -> str:
    """Why nothing is sent there; empty when a URL is usable. `is_http_allowed`: to loopback."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "this is not a URL"
    is_plain = url.isascii() and url.isprintable() and not set(" \\") & set(url)
    if not host or not is_plain or port == 0:
        return "this is not a URL with https, a host and a path"
    if parts.username is not None or parts.password is not None:
        return "a URL with a name or a password in it would show up in logs"
    if parts.scheme == "http" and is_http_allowed and host in LOOPBACK:
        return ""
    return "" if parts.scheme == "https" else "webhooks are sent over https only"
