"""Spans of reactions to events: one for each event, in the trace of the call that published it."""

from emporion.chassis.events.bus import Delivery
from emporion.chassis.telemetry.metrics import Durations
from emporion.chassis.telemetry.spans import OK, Kind, Span
from emporion.chassis.telemetry.telemetry import Telemetry, outcome_of
from emporion.contracts.contract import Event

HEADER_LENGTH = 55
SAMPLED = "1"


class DeliverySpans:
    """Records what a committed batch did for each of its events, and each attempt that failed.

    Events that were reacted to together share the time that took; `fields` say how many they
    were, and how long each had waited since it was published: milliseconds, or days where the
    reaction was retried so long. A `traceparent` comes from our own outbox, and is not checked
    again.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._spans = telemetry.spans
        self._span_id = telemetry.ids.span_id
        self._monotonic_s = telemetry.clock.monotonic_s
        self._now_ms = telemetry.clock.now_ms
        self._metrics = telemetry.metrics
        self._durations: dict[tuple[str, str], Durations] = {}
        self._names: dict[type[Event], str] = {}

    def record(self, delivery: Delivery) -> None:
        """One span for each event whose publisher was sampled; the batch in the metrics."""
        if delivery.error is None:
            self._durations_of(delivery).observe(delivery.elapsed_s)
        outcome = OK if delivery.error is None else outcome_of(delivery.error)
        started_s = self._monotonic_s() - delivery.elapsed_s
        number = len(delivery.received)
        began_ms = self._now_ms() - round(delivery.elapsed_s * 1000)
        record, span_id, names = self._spans.record, self._span_id, self._names
        subscriber, source, elapsed_s = delivery.subscriber, delivery.source, delivery.elapsed_s
        for each in delivery.received:
            header, kind = each.traceparent, each.kind
            if len(header) != HEADER_LENGTH or header[54] != SAMPLED:
                continue
            waited_ms = max(0, began_ms - each.occurred_at_ms)
            fields: dict[str, object] = {"events": number, "waited_ms": waited_ms}
            span = Span(
                header[3:35], span_id(), header[36:52], subscriber,
                names.get(kind) or self._name(kind), source, started_s, elapsed_s, outcome, fields,
                Kind.REACTION,
            )  # fmt: skip
            record(span)

    def _durations_of(self, delivery: Delivery) -> Durations:
        key = (delivery.source, delivery.subscriber)
        if key not in self._durations:
            about = "Batches of events that were reacted to."
            self._durations[key] = self._metrics.durations(
                "reaction_seconds", about, service=delivery.subscriber, caller=delivery.source
            )
        return self._durations[key]

    def _name(self, kind: type[Event]) -> str:
        name = self._names[kind] = f"react to {kind.SPEC.name}"
        return name
