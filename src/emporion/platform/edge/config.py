"""Envoy's configuration, from routes to the bootstrap file: plain data, written as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emporion.chassis.http.routes import TIMEOUT_S_MAX
from emporion.platform.edge.clusters import cluster
from emporion.platform.edge.files import EdgeFiles
from emporion.platform.edge.own_answers import nothing_there, own_answers, own_pages
from emporion.platform.edge.pieces import TYPES, Json, address, typed
from emporion.platform.edge.routes import Route

ROUTE_TIMEOUT_S: Final = int(TIMEOUT_S_MAX) + 5
"""Longer than any deadline of ours: a process that is late says so itself."""
BUFFER_BYTES: Final = 4 * 1024 * 1024
_HTTP: Final = f"{TYPES}.filters.http"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the edge listens: for clients, and its administration on loopback."""

    host: str
    port: int
    admin_port: int


def bootstrap(
    listen: Listen, routes: Sequence[Route], clusters: Sequence[str], *, files: EdgeFiles
) -> Json:
    """The whole configuration."""
    return {
        "node": {"id": "edge", "cluster": "emporion"},
        "admin": {"address": address("127.0.0.1", listen.admin_port)},
        "static_resources": {
            "listeners": [
                {
                    "name": "public",
                    "address": address(listen.host, listen.port),
                    "enable_reuse_port": False,  # two shops on one port would share its clients
                    "per_connection_buffer_limit_bytes": BUFFER_BYTES,
                    "filter_chains": [{"filters": [_connections(routes, files)]}],
                }
            ],
            "clusters": [cluster(name, files) for name in clusters],
        },
    }


def _connections(routes: Sequence[Route], files: EdgeFiles) -> Json:
    return typed(
        "envoy.filters.network.http_connection_manager",
        f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        use_remote_address=True,
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        normalize_path=True,
        merge_slashes=False,
        server_header_transformation="PASS_THROUGH",
        request_headers_timeout="10s",
        request_timeout="30s",
        stream_idle_timeout=f"{ROUTE_TIMEOUT_S}s",
        common_http_protocol_options={"idle_timeout": "300s"},
        local_reply_config=own_answers(),
        access_log=[_access_log(files.access_log)],
        http_filters=[
            typed("envoy.filters.http.buffer", f"{_HTTP}.buffer.v3.Buffer",
                   max_request_bytes=BUFFER_BYTES),
            typed("envoy.filters.http.router", f"{_HTTP}.router.v3.Router"),
        ],
        route_config={
            "name": "contracts",
            "request_headers_to_add": [
                {
                    "header": {"key": "x-edge-start", "value": "%START_TIME(%s.%6f)%"},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }
            ],
            "max_direct_response_body_size_bytes": BUFFER_BYTES,
            "virtual_hosts": [
                {
                    "name": "shop",
                    "domains": ["*"],
                    "routes": _all(routes, files),
                }
            ],
        },
    )  # fmt: skip


def _all(routes: Sequence[Route], files: EdgeFiles) -> list[Json]:
    """Every route: what is for some headers only before what is answered to all."""
    by_header = [_route(route) for route in routes if route.header]
    others = [_route(route) for route in routes if not route.header]
    return [*by_header, *own_pages(files), *others, nothing_there()]


def _route(route: Route) -> Json:
    match: Json = (
        {"path_separated_prefix": route.pattern}
        if route.is_prefix
        else {"safe_regex": {"regex": route.pattern}}
    )
    if route.verb:
        match["headers"] = [{"name": ":method", "string_match": {"exact": route.verb}}]
    if route.header:
        wanted: Json = {"present_match": True}
        if route.header_contains:
            wanted = {"string_match": {"contains": route.header_contains}}
        match.setdefault("headers", []).append({"name": route.header, **wanted})
    action: Json = {"cluster": route.cluster, "timeout": f"{ROUTE_TIMEOUT_S}s"}
    if route.is_query:
        # What only reads may be sent twice, when no answer came. Everything else is the caller's
        # to repeat: it holds the idempotency key, and we cannot know what was done.
        action["retry_policy"] = {
            "retry_on": "connect-failure,refused-stream,reset",
            "num_retries": 1,
            "host_selection_retry_max_attempts": 3,
            "retry_host_predicate": [
                typed(
                    "envoy.retry_host_predicates.previous_hosts",
                    f"{TYPES}.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                )
            ],
        }
    found: Json = {"match": match, "route": action}
    if route.body_bytes_max:
        found["typed_per_filter_config"] = {
            "envoy.filters.http.buffer": {
                "@type": f"{_HTTP}.buffer.v3.BufferPerRoute",
                "buffer": {"max_request_bytes": route.body_bytes_max},
            }
        }
    return found


def _access_log(file: Path) -> Json:
    fields = {
        "at": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
        "verb": "%REQ(:METHOD)%",
        "path": "%PATH(NQ:ORIG_OR_PATH)%",  # a query may hold an address: it is not written down
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "process": "%UPSTREAM_CLUSTER%",
        "instance": "%UPSTREAM_HOST%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "duration_ms": "%DURATION%",
        "request_bytes": "%BYTES_RECEIVED%",
        "response_bytes": "%BYTES_SENT%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "traceparent": "%REQ(TRACEPARENT)%",
    }
    return typed(
        "envoy.access_loggers.file",
        f"{TYPES}.access_loggers.file.v3.FileAccessLog",
        path=str(file),
        log_format={"json_format": fields},
    )
