"""Takes e-mail addresses out of what others say, before it is kept or logged."""

import re

_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"']+@[^\s<>()\[\]:;,\"']+")


def without_addresses(text: str) -> str:
    """The text, with `(address)` where an address stood."""
    return _ADDRESS.sub("(address)", text) if "@" in text else text
