"""A cluster of the edge: the instances of one process, and how it knows which may be asked."""

from collections.abc import Sequence
from typing import Final

from emporion.platform.edge.files import EdgeFiles
from emporion.platform.edge.pieces import TYPES, Json, address

CONNECT_TIMEOUT_S: Final = 1
HEALTH_INTERVAL_S: Final = 0.5
HEALTH_TIMEOUT_S: Final = 2
UPSTREAM_IDLE_TIMEOUT_S: Final = 60
"""Shorter than the processes keep a connection, so that none is used while it is closed."""
CONNECTIONS_MAX: Final = 1_024
REQUESTS_MAX: Final = 4_096


def endpoints(cluster: str, addresses: Sequence[tuple[str, int]]) -> Json:
    """What the file of a cluster says: its instances now."""
    resource = {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster,
        "endpoints": [
            {
                "lb_endpoints": [
                    {"endpoint": {"address": address(host, port)}} for host, port in addresses
                ]
            }
        ],
    }
    return {"resources": [resource]}


def cluster(name: str, files: EdgeFiles) -> Json:
    """The cluster of that name, whose instances are in its file."""
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
                "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
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
