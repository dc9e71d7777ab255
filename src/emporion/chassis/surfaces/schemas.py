"""JSON Schemas of messages, as the OpenAPI and AsyncAPI descriptions share them."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from emporion.contracts.contract import Event, Service
from emporion.kernel.money import AMOUNT_MINOR_MAX, MINOR_DIGITS, Money

REF: Final = "#/components/schemas/{name}"
Schema = dict[str, Any]
_PYTHON_END: Final = r"$(?!\n)"
"""How a pattern says "the very end" to Python; to ECMAScript a bare `$` says it."""


def components(types: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """A schema (or a reference) for each type, and the named schemas they refer to, by name."""
    schemas, named = msgspec.json.schema_components(types, ref_template=REF)
    tidied = {name: _tidy(schema) for name, schema in sorted(named.items())}
    if Money.__name__ in tidied:
        _bound_money(tidied[Money.__name__])
    return [_tidy(schema) for schema in schemas], tidied


def events_of(contract: type[Service]) -> list[type[Event]]:
    """The events that the contract's module declares, in that order."""
    return [
        value
        for value in vars(sys.modules[contract.__module__]).values()
        if isinstance(value, type)
        and issubclass(value, Event)
        and value.__module__ == contract.__module__
    ]


def sentences(text: str) -> tuple[str, str]:
    """The first sentence, without its full stop, and all that follows, a line a paragraph."""
    head, *rest = [part.replace("\n", " ") for part in inspect.cleandoc(text).split("\n\n")]
    first, dot, more = head.partition(". ")
    return first.rstrip("."), "\n\n".join(part for part in (more if dot else "", *rest) if part)


def document_text(document: Mapping[str, Any]) -> str:
    """A JSON document as it is committed: indented, with a last line feed."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _tidy(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {key: _tidy(value) for key, value in schema.items()}
    if isinstance(tidied.get("pattern"), str):
        tidied["pattern"] = tidied["pattern"].replace(_PYTHON_END, "$")
    if isinstance(tidied.get("description"), str):
        tidied["description"] = inspect.cleandoc(tidied["description"]).partition("\n\nArgs:")[0]
    values = tidied.get("enum")
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        tidied.setdefault("type", "string")
    return tidied


def _bound_money(schema: Schema) -> None:
    """The kernel's money refuses more than its types say; the kernel itself knows no schemas."""
    schema["description"] = "An amount of one currency: integer minor units, never a float."
    schema["properties"]["amount_minor"].update(
        description="Cents for EUR, yen for JPY.",
        minimum=-AMOUNT_MINOR_MAX,
        maximum=AMOUNT_MINOR_MAX,
        examples=[250],
    )
    schema["properties"]["currency"].update(
        description="ISO 4217.", enum=sorted(MINOR_DIGITS), examples=["EUR"]
    )
