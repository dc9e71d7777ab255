"""The REST surface described as OpenAPI 3.1, from the same derivation that answers requests."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from emporion.chassis.http import problem
from emporion.chassis.http.routes import TIMEOUT_HEADER, TIMEOUT_S_MAX
from emporion.chassis.http.shape import KEY_HEADER, Field, RestShape, is_changing, rest_shapes
from emporion.chassis.surfaces.examples import NoExample, example_of
from emporion.chassis.surfaces.schemas import Schema, components, sentences
from emporion.contracts.contract import Audience, Service
from emporion.kernel import errors
from emporion.kernel.errors import EmporionError

VERSION: Final = "3.1.0"
BEARER: Final = "bearer"
PROBLEM_TYPE: Final = problem.CONTENT_TYPE.decode()
_STATUS_WORDS: Final = {
    400: "The request can never be right.",
    401: "No access token, or not a valid one.",
    402: "The payment was declined.",
    403: "The access token does not grant the scope.",
    404: "There is no such thing, or it is not yours.",
    408: "The body did not arrive in time; nothing was done.",
    409: "Not possible in the current state; nothing was done.",
    413: "The body is too large.",
    415: "The body is not declared as uncompressed JSON.",
    422: "The body is JSON, but not what is taken here.",
    429: "A limit is reached; `Retry-After` may say when to come back.",
    500: "Our fault; the outcome is unknown.",
    503: "Not available at the moment; try again.",
    504: "Not answered in time; the outcome is unknown.",
}
_PROBLEM: Final[Schema] = {
    "title": "Problem",
    "description": "A problem document (RFC 9457). Further members depend on `type`.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "trace_id"],
    "properties": {
        "type": {
            "type": "string",
            "description": f"`{problem.TYPE_PREFIX}` and the slug of the condition.",
        },
        "title": {"type": "string", "description": "The condition in words; never changes."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "This occurrence, for people."},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "errors": {
            "description": "Which fields are wrong, by path.",
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def openapi(contracts: Sequence[type[Service]], *, title: str, version: str) -> dict[str, Any]:
    """The description of every public method with a REST surface, ready to be encoded."""
    shapes = [
        (contract, shape)
        for contract in contracts
        for shape in rest_shapes(contract)
        if shape.rpc.access.audience is Audience.PUBLIC
    ]
    writer = _Writer([shape for _, shape in shapes])
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for contract, shape in shapes:
        paths[shape.rest.path][shape.rest.verb.lower()] = writer.operation(contract, shape)
    return {
        "openapi": VERSION,
        "info": {"title": title, "version": version, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "tags": [
            {"name": contract.NAME, "description": contract.SUMMARY}
            for contract in contracts
            if any(owner is contract for owner, _ in shapes)
        ],
        "paths": dict(paths),
        "components": {
            "schemas": {**writer.schemas, "Problem": _PROBLEM},
            "parameters": {"RequestTimeout": _timeout_parameter()},
            "headers": {"TraceId": _trace_header()},
            "responses": {str(status): _plain_response(status) for status in _STATUS_WORDS},
            "securitySchemes": {
                BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token from `POST /api/users/sessions`.",
                }
            },
        },
    }


class _Writer:
    """Knows the schema of every type that the operations name."""

    def __init__(self, shapes: Iterable[RestShape]) -> None:
        types: list[Any] = []
        for shape in shapes:
            types += [shape.rpc.reply, *([shape.body_type] if shape.body_type else [])]
            types += [field.type for field in _beside(shape)]
        schemas, self.schemas = components(types)
        self._known = list(zip(types, schemas, strict=True))

    def schema(self, kind: Any) -> Schema:
        for known, schema in self._known:
            if known is kind:
                return dict(schema)
        raise KeyError(kind)

    def operation(self, contract: type[Service], shape: RestShape) -> dict[str, Any]:
        summary, description = sentences(shape.rpc.summary)
        operation: dict[str, Any] = {
            "operationId": f"{contract.NAME}_{shape.rpc.name}",
            "tags": [contract.NAME],
            "summary": summary,
        }
        if description:
            operation["description"] = description
        operation["security"] = _security(shape)
        operation["parameters"] = self._parameters(shape)
        if shape.raw is not None:
            operation["requestBody"] = _raw_body()
        elif shape.body_type is not None and shape.body:
            operation["requestBody"] = self._body(shape)
        operation["responses"] = self._responses(shape)
        return operation

    def _parameters(self, shape: RestShape) -> list[dict[str, Any]]:
        parameters = [self._parameter(field, "path", is_required=True) for field in shape.path]
        parameters += [
            self._parameter(field, "query", is_required=field.required) for field in shape.query
        ]
        if shape.header is not None:
            parameters.append(
                self._parameter(shape.header, "header", is_required=shape.rpc.is_key_required)
                | {"name": KEY_HEADER}
            )
        parameters += [
            self._parameter(field, "header", is_required=field.required) | {"name": title}
            for field, title in shape.named
        ]
        return [*parameters, {"$ref": "#/components/parameters/RequestTimeout"}]

    def _parameter(self, field: Field, place: str, *, is_required: bool) -> dict[str, Any]:
        schema = _without_null(self.schema(field.type))
        if field.default not in (msgspec.NODEFAULT, None, ""):
            schema["default"] = msgspec.to_builtins(field.default)
        parameter: dict[str, Any] = {"name": field.name, "in": place, "required": is_required}
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        return parameter | {"schema": schema}

    def _body(self, shape: RestShape) -> dict[str, Any]:
        content: dict[str, Any] = {"schema": self.schema(shape.body_type)}
        try:
            content["example"] = example_of(shape.body_type)
        except NoExample:
            content.pop("example", None)
        return {
            "required": not shape.is_body_optional,
            "content": {"application/json": content},
        }

    def _responses(self, shape: RestShape) -> dict[str, Any]:
        responses: dict[str, Any] = {str(shape.status): self._success(shape, _done(shape))}
        if shape.may_be_pending:
            words = "Taken, not decided yet: follow it at `Location`, or repeat the request."
            responses["202"] = self._success(shape, words)
        by_status: dict[int, list[type[EmporionError]]] = defaultdict(list)
        for kind in shape.rpc.raises:
            by_status[problem.status_of(kind)].append(kind)
        for status in sorted({*by_status, *_statuses_of_the_edge(shape)}):
            named = [kind for kind in by_status.get(status, ()) if not _is_category(kind)]
            responses[str(status)] = (
                _named_response(status, named)
                if named
                else {"$ref": f"#/components/responses/{status}"}
            )
        return responses

    def _success(self, shape: RestShape, words: str) -> dict[str, Any]:
        headers: dict[str, Any] = {"X-Trace-Id": {"$ref": "#/components/headers/TraceId"}}
        if shape.location is not None and shape.rest.status == 201:  # noqa: PLR2004 - Created
            headers["Location"] = {
                "description": f"`{shape.location}`, filled.",
                "schema": {"type": "string"},
            }
        response: dict[str, Any] = {"description": words, "headers": headers}
        if shape.status != 204:  # noqa: PLR2004 - No Content has none
            response["content"] = {"application/json": {"schema": self.schema(shape.rpc.reply)}}
        return response


def _beside(shape: RestShape) -> list[Field]:
    keys = [shape.header] if shape.header else []
    return [*shape.path, *shape.query, *keys, *(field for field, _ in shape.named)]


def _raw_body() -> dict[str, Any]:
    words = "As its sender signed it; it is stored before it is read."
    content = {"schema": {}, "example": {"id": "evt_1"}}
    return {"required": True, "description": words, "content": {"application/json": content}}


def _done(shape: RestShape) -> str:
    return {201: "Created.", 204: "Done."}.get(shape.status, "Answered.")


def _security(shape: RestShape) -> list[dict[str, list[str]]]:
    scope = shape.rpc.access.scope
    return [] if scope is None else [{BEARER: [scope]}]


def _statuses_of_the_edge(shape: RestShape) -> set[int]:
    statuses = {400, 429, 500, 503, 504}
    if shape.rpc.access.scope is not None:
        statuses |= {401, 403}
    if shape.has_body:
        statuses |= {408, 413}
    if shape.body_type is not None:
        statuses |= {415, 422}
    if is_changing(shape.rpc) and shape.rpc.access.is_owner_checked:
        statuses.add(404)
    return statuses


def _is_category(kind: type[EmporionError]) -> bool:
    return kind in errors.CATEGORIES.values()


def _named_response(status: int, kinds: list[type[EmporionError]]) -> dict[str, Any]:
    examples = {
        kind.slug: {
            "summary": kind.title,
            "description": sentences(kind.__doc__ or kind.title)[0] + ".",
            "value": {
                "type": problem.TYPE_PREFIX + kind.slug,
                "title": kind.title,
                "status": status,
                "detail": kind.title,
                "trace_id": "0" * 32,
            },
        }
        for kind in kinds
    }
    response = _plain_response(status)
    response["description"] = " ".join(f"{kind.title} (`{kind.slug}`)." for kind in kinds)
    response["content"][PROBLEM_TYPE]["examples"] = examples
    return response


def _plain_response(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": _STATUS_WORDS[status],
        "headers": {"X-Trace-Id": {"$ref": "#/components/headers/TraceId"}},
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in {429, 503}:
        response["headers"]["Retry-After"] = {"schema": {"type": "integer", "minimum": 0}}
    if status == 401:  # noqa: PLR2004 - it comes with its challenge
        response["headers"]["WWW-Authenticate"] = {"schema": {"type": "string"}}
    return response


def _timeout_parameter() -> dict[str, Any]:
    return {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "required": False,
        "description": "How long the client waits, in seconds: what cannot be done by then is not "
        f"begun. More than {TIMEOUT_S_MAX:g} counts as {TIMEOUT_S_MAX:g}.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    }


def _trace_header() -> dict[str, Any]:
    return {
        "description": "Under which the request is found in logs and traces.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    }


def _without_null(schema: Schema) -> Schema:
    """A query parameter is left out rather than null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**choices[0], **rest}
