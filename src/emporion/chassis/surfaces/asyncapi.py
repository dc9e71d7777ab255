"""The events described as AsyncAPI 3.0: CloudEvents envelopes around the contracts' messages."""

from collections.abc import Sequence
from typing import Any, Final

from emporion.chassis.events.outbox import Envelope
from emporion.chassis.surfaces.schemas import Schema, components, events_of, sentences
from emporion.contracts.contract import Event, Service

VERSION: Final = "3.0.0"
CONTENT_TYPE: Final = "application/cloudevents+json"


def asyncapi(contracts: Sequence[type[Service]], *, title: str, version: str) -> dict[str, Any]:
    """The description of every event, one channel a topic, ready to be encoded.

    Raises ValueError when two events share a name.
    """
    published = [(contract, event) for contract in contracts for event in events_of(contract)]
    _refuse_doubles([event for _, event in published])
    (envelope, *payloads), schemas = components([Envelope, *(event for _, event in published)])
    return {
        "asyncapi": VERSION,
        "info": {
            "title": title,
            "version": version,
            "license": {"name": "Apache-2.0"},
            "description": "Delivered at least once, in order for each key (`subject`); a "
            "subscriber recognises a repetition by `id`.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": _channels([event for _, event in published]),
        "operations": {
            event.SPEC.name: {
                "action": "send",
                "summary": f"The {contract.NAME} service publishes {event.SPEC.name}.",
                "channel": {"$ref": f"#/channels/{event.SPEC.topic}"},
                "messages": [{"$ref": f"#/channels/{event.SPEC.topic}/messages/{event.__name__}"}],
                "tags": [{"name": contract.NAME}],
            }
            for contract, event in published
        },
        "components": {
            "messages": {
                event.__name__: _message(contract, event, envelope=envelope, payload=payload)
                for (contract, event), payload in zip(published, payloads, strict=True)
            },
            "schemas": schemas,
        },
    }


def _refuse_doubles(events: list[type[Event]]) -> None:
    names = [event.SPEC.name for event in events]
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise ValueError(f"two events share a name: {sorted(doubles)}")


def _channels(events: list[type[Event]]) -> dict[str, Any]:
    channels: dict[str, Any] = {}
    for event in events:
        topic = event.SPEC.topic
        channel = channels.setdefault(topic, {"address": topic, "messages": {}})
        channel["messages"][event.__name__] = {"$ref": f"#/components/messages/{event.__name__}"}
    return channels


def _message(
    contract: type[Service], event: type[Event], *, envelope: Schema, payload: Schema
) -> dict[str, Any]:
    spec = event.SPEC
    summary, description = sentences(event.__doc__ or event.__name__)
    message: dict[str, Any] = {"name": spec.name, "title": event.__name__, "summary": summary}
    if description:
        message["description"] = description
    return message | {
        "contentType": CONTENT_TYPE,
        "correlationId": {"location": "$message.payload#/traceparent"},
        "payload": {
            "allOf": [
                envelope,
                {
                    "type": "object",
                    "properties": {
                        "specversion": {"const": "1.0"},
                        "type": {"const": spec.name},
                        "source": {"const": f"/emporion/{contract.NAME}"},
                        "subject": {"description": f"The value of `data.{spec.key}`."},
                        "datacontenttype": {"const": "application/json"},
                        "dataversion": {"const": spec.version},
                        "data": payload,
                    },
                },
            ]
        },
    }
