"""Courier over HTTPS."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from emporion.chassis.http.outgoing import AddressRefused, NoAnswer, Poster
from emporion.kernel.addresses import without_addresses
from emporion.kernel.clock import Clock
from emporion.services.webhook.domain.schedule import is_taken
from emporion.services.webhook.ports import Reply

TIMEOUT_S = 15.0
ERROR_LENGTH_MAX = 200
SECONDS_MAX = 10**9


class HttpCourier:
    """The port. A redirect is an answer like any other: nothing is followed."""

    def __init__(self, poster: Poster, clock: Clock, *, timeout_s: float = TIMEOUT_S) -> None:
        self._poster = poster
        self._clock = clock
        self._timeout_s = timeout_s

    async def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            answer = await self._poster.post(url, headers, body, timeout_s=self._timeout_s)
        except (AddressRefused, NoAnswer) as error:
            return Reply(0, error.detail[:ERROR_LENGTH_MAX])
        said = "" if is_taken(answer.status) else f"{answer.status} {answer.start}".strip()
        return Reply(
            answer.status,
            without_addresses(said)[:ERROR_LENGTH_MAX],
            retry_after_s(answer.retry_after, self._clock.now_ms()),
        )


def retry_after_s(text: str, now_ms: int) -> int:
    """How long the header `Retry-After` asks to wait: seconds, or an HTTP date; 0: it does not."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:20]), SECONDS_MAX)
    try:
        until = parsedate_to_datetime(text)
        return max(0, round(until.timestamp() - now_ms / 1_000))
    except (ValueError, TypeError, OverflowError):
        return 0
