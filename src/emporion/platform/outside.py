"""Spans of what leaves the shop: payment providers, mail servers, endpoints of webhooks."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import urlsplit

from emporion.chassis.calls.context import Trace, current_call
from emporion.chassis.telemetry.spans import OK, Kind, Span
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.kernel.ids import OrderId
from emporion.kernel.money import Money
from emporion.services.email.ports import Fate, Letter, Mailer, Verdict
from emporion.services.payment.ports import (
    Answer,
    Approval,
    PaymentProvider,
    Reversal,
    Standing,
)
from emporion.services.webhook.ports import Courier, Reply

T = TypeVar("T")
P = TypeVar("P")
PAYMENT: Final = "payment"
OK_FROM: Final = 200
OK_BELOW: Final = 300


class TracedProvider:
    """PaymentProvider around another: what is asked for a recorded trace has a span.

    Neither amounts nor tokens are in it.
    """

    def __init__(self, inner: PaymentProvider, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry
        self.read_webhook = inner.read_webhook
        self.listen = inner.listen

    @property
    def name(self) -> str:
        """See PaymentProvider."""
        return self._inner.name

    async def charge(self, *, key: str, amount: Money, token: str) -> Answer:
        """See PaymentProvider."""
        return await self._traced("charge", self._inner.charge(key=key, amount=amount, token=token))

    async def authorise(self, *, key: str, amount: Money, token: str) -> Answer:
        """See PaymentProvider."""
        asked = self._inner.authorise(key=key, amount=amount, token=token)
        return await self._traced("authorise", asked)

    async def capture(self, *, key: str, reference: str, amount: Money) -> Approval:
        """See PaymentProvider."""
        asked = self._inner.capture(key=key, reference=reference, amount=amount)
        return await self._traced("capture", asked)

    async def void(self, *, key: str, reference: str) -> None:
        """See PaymentProvider."""
        await self._traced("void", self._inner.void(key=key, reference=reference))

    async def refund(self, *, key: str, reference: str, amount: Money) -> Reversal:
        """See PaymentProvider."""
        asked = self._inner.refund(key=key, reference=reference, amount=amount)
        return await self._traced("refund", asked)

    async def find(self, *, key: str) -> Answer | None:
        """See PaymentProvider."""
        return await self._traced("find", self._inner.find(key=key))

    async def look(self, *, order_id: OrderId, reference: str) -> Standing | None:
        """See PaymentProvider."""
        asked = self._inner.look(order_id=order_id, reference=reference)
        return await self._traced("look", asked)

    def dealings(self, *, since_ms: int) -> AsyncIterator[Standing]:
        """See PaymentProvider."""
        return self._inner.dealings(since_ms=since_ms)

    async def _traced(self, what: str, asked: Awaitable[T]) -> T:
        if not current_call().trace.is_sampled:
            return await asked
        name = f"{self._inner.name}: {what}"
        with self._telemetry.span(PAYMENT, name, kind=Kind.OUTSIDE):
            return await asked


class TracedMailer:
    """Mailer around another: a span for each letter, in the trace of what it tells of.

    Letters that were handed over together share the time that took. Whom one goes to is not in it.
    """

    def __init__(self, inner: Mailer, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry

    async def send(self, letters: Sequence[Letter]) -> list[Verdict]:
        """See Mailer."""
        clock = self._telemetry.clock
        started_s = clock.monotonic_s()
        verdicts = await self._inner.send(letters)
        duration_s = clock.monotonic_s() - started_s
        for letter, verdict in zip(letters, verdicts, strict=True):
            trace = Trace.parse(letter.traceparent)
            if trace is not None and trace.is_sampled:
                outcome = OK if verdict.fate is Fate.TAKEN else verdict.fate
                fields: dict[str, object] = {"mail": letter.name, "letters": len(letters)}
                span = Span(
                    trace.trace_id, self._telemetry.ids.span_id(), trace.span_id, "email",
                    "send mail", "email", started_s, duration_s, outcome, fields, Kind.OUTSIDE,
                )  # fmt: skip
                self._telemetry.spans.record(span)
        return verdicts


class TracedCourier:
    """Courier around another: a span for each try, in the trace of the event that is told.

    Only the host of an endpoint is in it: a path or a query may hold a secret.
    """

    def __init__(self, inner: Courier, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry

    async def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """See Courier."""
        if not current_call().trace.is_sampled:
            return await self._inner.carry(url, headers, body)
        host = urlsplit(url).hostname or ""
        span = self._telemetry.span("webhook", "post", kind=Kind.OUTSIDE, host=host)
        with span:
            reply = await self._inner.carry(url, headers, body)
            span.ended_as = OK if OK_FROM <= reply.status < OK_BELOW else f"HTTP {reply.status}"
            return reply


def traced(inner: P, tracing: Callable[[P, Telemetry], P], telemetry: Telemetry | None) -> P:
    """What is asked outside, with spans where there is telemetry."""
    return inner if telemetry is None else tracing(inner, telemetry)
