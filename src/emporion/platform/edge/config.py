"""Envoy's configuration, from routes to the bootstrap file: plain data, written as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emporion.chassis.http.problem import CONTENT_TYPE, TYPE_PREFIX
from emporion.chassis.http.routes import TIMEOUT_S_MAX
from emporion.platform.edge.routes import Route

Json = dict[str, Any]
CONNECT_TIMEOUT_S: Final = 1
HEALTH_INTERVAL_S: Final = 0.5
HEALTH_TIMEOUT_S: Final = 2
ROUTE_TIMEOUT_S: Final = int(TIMEOUT_S_MAX) + 5
"""Longer than any deadline of ours: a process that is late says so itself."""
UPSTREAM_IDLE_TIMEOUT_S: Final = 60
"""Shorter than the processes keep a connection, so that none is used while it is closed."""
CONNECTIONS_MAX: Final = 1_024
REQUESTS_MAX: Final = 4_096
BUFFER_BYTES: Final = 4 * 1024 * 1024
_FIRST_ERROR: Final = 400
_OWN_WORDS: Final = {
    404: ("no-such-route", "Not found", "there is no such path"),
    408: ("body-too-late", "The body did not arrive in time", "nothing was done"),
    413: ("body-too-large", "The body is too large", "send less at once"),
    503: ("unavailable", "Not available at the moment", "nothing answers there now; try again"),
    504: ("deadline-exceeded", "Not answered in time", "the outcome is unknown"),
}
_OTHER_WORDS: Final = ("error", "The request was refused", "see the status")
"""What the edge says itself: slug, title, detail."""
_TYPES: Final = "type.googleapis.com/envoy.extensions"
_HTTP: Final = f"{_TYPES}.filters.http"


@dataclass(frozen=True, slots=True)
class EdgeFiles:
    """Files of the edge.

    Args:
        endpoints: the folder in which each cluster has a file; replaced as instances change.
        openapi, index: what `/openapi.json` and `/` answer.
        access_log: a line of JSON for each request.
    """

    endpoints: Path
    openapi: Path
    index: Path
    access_log: Path

    def endpoints_of(self, cluster: str) -> Path:
        """The file of one cluster."""
        return self.endpoints / f"{cluster}.json"


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
        "admin": {"address": _address("127.0.0.1", listen.admin_port)},
        "static_resources": {
            "listeners": [
                {
                    "name": "public",
                    "address": _address(listen.host, listen.port),
                    "enable_reuse_port": False,  # two shops on one port would share its clients
                    "per_connection_buffer_limit_bytes": BUFFER_BYTES,
                    "filter_chains": [{"filters": [_connections(routes, files)]}],
                }
            ],
            "clusters": [_cluster(name, files) for name in clusters],
        },
    }


def endpoints(cluster: str, addresses: Sequence[tuple[str, int]]) -> Json:
    """What the file of a cluster says: its instances now."""
    resource = {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster,
        "endpoints": [
            {
                "lb_endpoints": [
                    {"endpoint": {"address": _address(host, port)}} for host, port in addresses
                ]
            }
        ],
    }
    return {"resources": [resource]}


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _connections(routes: Sequence[Route], files: EdgeFiles) -> Json:
    return _typed(
        "envoy.filters.network.http_connection_manager",
        f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
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
        local_reply_config=_own_answers(),
        access_log=[_access_log(files.access_log)],
        http_filters=[
            _typed("envoy.filters.http.buffer", f"{_HTTP}.buffer.v3.Buffer",
                   max_request_bytes=BUFFER_BYTES),
            _typed("envoy.filters.http.router", f"{_HTTP}.router.v3.Router"),
        ],
        route_config={
            "name": "contracts",
            "max_direct_response_body_size_bytes": BUFFER_BYTES,
            "virtual_hosts": [
                {
                    "name": "shop",
                    "domains": ["*"],
                    "routes": [*_own_pages(files), *map(_route, routes), _nothing_there()],
                }
            ],
        },
    )  # fmt: skip


def _route(route: Route) -> Json:
    match: Json = (
        {"path_separated_prefix": route.pattern}
        if route.is_prefix
        else {"safe_regex": {"regex": route.pattern}}
    )
    if route.verb:
        match["headers"] = [{"name": ":method", "string_match": {"exact": route.verb}}]
    action: Json = {"cluster": route.cluster, "timeout": f"{ROUTE_TIMEOUT_S}s"}
    if route.is_query:
        # What only reads may be sent twice, when no answer came. Everything else is the caller's
        # to repeat: it holds the idempotency key, and we cannot know what was done.
        action["retry_policy"] = {
            "retry_on": "connect-failure,refused-stream,reset",
            "num_retries": 1,
            "host_selection_retry_max_attempts": 3,
            "retry_host_predicate": [
                _typed(
                    "envoy.retry_host_predicates.previous_hosts",
                    f"{_TYPES}.retry.host.previous_hosts.v3.PreviousHostsPredicate",
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


def _own_pages(files: EdgeFiles) -> list[Json]:
    """What belongs to no process, and is there while none is."""
    return [_page("/", files.index), _page("/openapi.json", files.openapi)]


def _page(path: str, file: Path) -> Json:
    return {
        "match": {
            "path": path,
            "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
        },
        "direct_response": {"status": 200, "body": {"filename": str(file)}},
        "response_headers_to_add": [_header("content-type", "application/json")],
    }


def _nothing_there() -> Json:
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": 404, "body": {"inline_string": "nothing is there"}},
    }


def _own_answers() -> Json:
    """What the edge says itself is a problem document too, like everything the shop refuses."""
    mappers = [_problem(status, words) for status, words in _OWN_WORDS.items()]
    return {"mappers": [*mappers, _problem(_FIRST_ERROR, _OTHER_WORDS, is_exact=False)]}


def _problem(status: int, words: tuple[str, str, str], *, is_exact: bool = True) -> Json:
    slug, title, detail = words
    compared = {
        "op": "EQ" if is_exact else "GE",
        "value": {"default_value": status, "runtime_key": f"edge.{slug}"},
    }
    return {
        "filter": {"status_code_filter": {"comparison": compared}},
        "body_format_override": {
            "json_format": {
                "type": f"{TYPE_PREFIX}{slug}",
                "title": title,
                "status": "%RESPONSE_CODE%",
                "detail": detail,
                "trace_id": "%REQ(X-REQUEST-ID)%",
            },
            "content_type": CONTENT_TYPE.decode(),
        },
    }


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
    return _typed(
        "envoy.access_loggers.file",
        f"{_TYPES}.access_loggers.file.v3.FileAccessLog",
        path=str(file),
        log_format={"json_format": fields},
    )


def _cluster(name: str, files: EdgeFiles) -> Json:
    file = files.endpoints_of(name)
    source = {"path": str(file), "watched_directory": {"path": str(file.parent)}}
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": {"path_config_source": source}},
        "connect_timeout": f"{CONNECT_TIMEOUT_S}s",
        "lb_policy": "LEAST_REQUEST",
        # A known dead half must get nothing: without this Envoy shares among all again.
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 0},
            "ignore_new_hosts_until_first_hc": True,
        },
        "ignore_health_on_host_removal": True,
        "health_checks": [_health()],
        "outlier_detection": _outliers(),
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": CONNECTIONS_MAX,
                    "max_pending_requests": REQUESTS_MAX,
                    "max_requests": REQUESTS_MAX,
                    "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 3},
                }
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": {"idle_timeout": f"{UPSTREAM_IDLE_TIMEOUT_S}s"},
            }
        },
    }


def _health() -> Json:
    return {
        "timeout": f"{HEALTH_TIMEOUT_S}s",
        "interval": f"{HEALTH_INTERVAL_S}s",
        "no_traffic_interval": f"{HEALTH_INTERVAL_S}s",
        "no_traffic_healthy_interval": f"{HEALTH_INTERVAL_S}s",
        "initial_jitter": "0.1s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "always_log_health_check_failures": True,
        "http_health_check": {"path": "/readyz"},
    }


def _outliers() -> Json:
    """Hosts that cannot be reached are left out; a refusal, or a shed request, is no fault."""
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "interval": "1s",
        "base_ejection_time": "2s",
        "max_ejection_percent": 100,
        "successful_active_health_check_uneject_host": False,
    }


def _typed(name: str, kind: str, **options: Any) -> Json:
    return {"name": name, "typed_config": {"@type": kind, **options}}


def _header(name: str, value: str) -> Mapping[str, object]:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
