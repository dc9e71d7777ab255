"""A little OpenTelemetry collector: takes OTLP over HTTP, decodes it with the official types."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TYPES: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}


@dataclass
class Collector:
    """What it was sent, by kind; answers with `statuses`, one after the other, then 200."""

    url: str = ""
    taken: dict[str, list[Any]] = field(default_factory=lambda: {kind: [] for kind in TYPES})
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    has_more: asyncio.Event = field(default_factory=asyncio.Event)

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        kind = request.match_info["kind"]
        message = TYPES[kind]()
        message.ParseFromString(body)
        self.bodies.append(body)
        self.taken[kind].append(message)
        self.has_more.set()
        return web.Response(status=200, content_type="application/x-protobuf")

    def spans(self) -> list[tuple[str, Any]]:
        """Every span with its service."""
        return [
            (attributes(of_service.resource)["service.name"], span)
            for request in self.taken["traces"]
            for of_service in request.resource_spans
            for scope in of_service.scope_spans
            for span in scope.spans
        ]


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens on this machine."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/{kind}", collector._answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of something, as plain values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}
