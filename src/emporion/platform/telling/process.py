"""What a process tells about itself, as its settings want it: telemetry, logs, and their store."""

import logging
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from emporion.chassis.runtime.lifecycle import Part
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.logs import JsonLogs, install
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.platform.settings import Settings, TraceForm, UnknownSetting
from emporion.platform.shop import Shop
from emporion.platform.telling.export.emf import EmbeddedMetrics
from emporion.platform.telling.machine import QueueAges, SagaAges, watch_machine
from emporion.platform.telling.recorder import LOGS_MAX, Recorder
from emporion.platform.telling.records import FILE
from emporion.platform.telling.store.writing import Limits

if TYPE_CHECKING:
    from emporion.platform.telling.export.exporter import OtlpExporter

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Telling:
    """The telemetry of a process, and the log that it writes."""

    telemetry: Telemetry
    logs: JsonLogs

    def part(self, shop: Shop) -> Part:
        """What carries all of it out of memory, from the start of the process to its end."""
        settings, telemetry, runtime = shop.settings, self.telemetry, shop.runtime
        kept = self.logs.kept = deque(maxlen=LOGS_MAX)
        recorder = Recorder(
            telemetry,
            runtime,
            path=settings.folder / FILE if settings.telemetry_mb else None,
            limits=Limits(settings.telemetry_mb * MIB, settings.telemetry_hours),
            logs=kept,
        )
        watch_machine(telemetry, shop)
        now_ms = runtime.clock.now_ms
        recorder.refreshes.append(QueueAges(telemetry, shop, now_ms).refresh)
        recorder.refreshes.append(SagaAges(telemetry, shop.saga_desks, now_ms).refresh)
        shop.records.recorder = recorder
        if settings.emf:
            emf = EmbeddedMetrics(
                telemetry.metrics, shop.fabric.process_kind, _print, place=shop.fabric.place
            )
            recorder.exports.append(lambda _: emf.tell(now_ms()))
        if not settings.otlp_url:
            return Part("telemetry", recorder.start, recorder.stop)
        exporter = _exporter(settings, shop)
        recorder.exports.append(exporter.offer)

        async def start() -> None:
            await exporter.start()
            await recorder.start()

        async def stop() -> None:
            await recorder.stop()
            await exporter.stop()

        return Part("telemetry", start, stop)


def _exporter(settings: Settings, shop: Shop) -> "OtlpExporter":
    """Imported only where it is wanted: the messages take 5 MB."""
    from emporion.platform.telling.export.exporter import OtlpExporter  # noqa: PLC0415 - see above
    from emporion.platform.telling.export.otlp import Messages  # noqa: PLC0415 - see above

    started_ns = shop.runtime.clock.now_ms() * 1_000_000
    return OtlpExporter(
        settings.otlp_url,
        header_of(settings),
        telemetry=shop.telemetry,
        runtime=shop.runtime,
        messages=Messages(place=shop.fabric.place, started_ns=started_ns),
    )


def header_of(settings: Settings) -> dict[str, str]:
    """What every request to the collector carries besides. Raises UnknownSetting."""
    if urlsplit(settings.otlp_url).scheme not in {"http", "https"}:
        raise UnknownSetting("otlp_url: an address that begins with http:// or https://")
    if not settings.otlp_header:
        return {}
    name, colon, value = settings.otlp_header.partition(":")
    if not colon or not name.strip() or not settings.otlp_header.isprintable():
        raise UnknownSetting("otlp_header: one line, like `x-api-key: ...`")
    return {name.strip(): value.strip()}


def _print(line: str) -> None:
    with suppress(OSError):  # whoever read it is gone: there is nobody left to tell
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def process_telling(settings: Settings, runtime: Runtime, *, service: str = "emporion") -> Telling:
    """The telemetry of this process, and its logs from now on: one JSON object a line."""
    is_xray = settings.trace_ids is TraceForm.XRAY
    telemetry = Telemetry(
        runtime, is_strict=False, traces_per_s=settings.traces_per_s, is_xray=is_xray
    )
    logs = JsonLogs(telemetry.guard, service=service, is_xray=is_xray)
    install(logs, level=logging.getLevelNamesMapping()[settings.log_level])
    return Telling(telemetry, logs)
