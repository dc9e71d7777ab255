"""Pieces that Envoy's configuration is made of everywhere."""

from typing import Any, Final

Json = dict[str, Any]
TYPES: Final = "type.googleapis.com/envoy.extensions"


def address(host: str, port: int) -> Json:
    """A TCP address."""
    return {"socket_address": {"address": host, "port_value": port}}


def typed(name: str, kind: str, **options: Any) -> Json:
    """An extension by name, with its options."""
    return {"name": name, "typed_config": {"@type": kind, **options}}


def header(name: str, value: str) -> Json:
    """A header of an answer."""
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
