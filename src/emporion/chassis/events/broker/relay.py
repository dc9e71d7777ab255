"""Carries a service's outbox to the broker: in order along each key, each event at least once.

An event counts as sent when the broker has acknowledged it. Whoever dies between the two sends it
again, which the broker recognises for a while and the subscribers' inboxes for good. Of one key
only one event is on its way at a time, so that none overtakes one that failed.
"""

import logging
from collections.abc import Sequence

from emporion.chassis.events.broker.config import BrokerConfig
from emporion.chassis.events.broker.port import Broker, MessageRefused
from emporion.chassis.events.tables import OutboxQueue, Row
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import Unavailable

SOON_MS = 20
"""Rows that another transaction holds back are looked at again after so long."""
_log = logging.getLogger(__name__)


class Relay:
    """Sends what a service published. One instance of a service runs it at a time.

    Args:
        source: the service.
        outbox: what it published.
        broker: where to.
    """

    def __init__(
        self,
        source: str,
        outbox: OutboxQueue,
        broker: Broker,
        *,
        runtime: Runtime,
        config: BrokerConfig,
    ) -> None:
        self.source = source
        self.outbox = outbox
        self.alarm = Alarm(f"{source} -> broker", runtime, self.run_due)
        self.sent = 0
        self.is_open = False
        self._broker = broker
        self._runtime = runtime
        self._config = config
        self._is_declared = False
        self._is_away = False
        self._held_until_ms: dict[str, int] = {}

    def look_again(self) -> None:
        """Forget what is known of the broker: it came back, or a while has passed."""
        self._is_declared = False
        self.alarm.poke()

    async def run_due(self) -> int | None:
        """Send a batch; when to run again (see Alarm). Raises what the database raises."""
        if not self.is_open:
            return None
        try:
            return await self._send_batch()
        except Unavailable as error:
            self._is_declared = False
            if not self._is_away:
                _log.warning(
                    "%s: away, the outbox keeps what is published: %s",
                    self.alarm.name,
                    error.detail,
                )
            self._is_away = True
            return self._now_ms() + round(self._config.relay_pause_s * 1000)

    async def _send_batch(self) -> int | None:
        if not self._is_declared:
            await self.outbox.begin(await self._broker.declare(self.source))
            self._is_declared = True
        limit = self._config.relay_batch_max
        self._let_go()
        unsent = await self.outbox.unsent(limit=limit, held=tuple(self._held_until_ms))
        lost = await self._send(unsent.rows)
        if lost is not None:
            raise Unavailable(f"{type(lost).__name__}: {lost}")
        if self._is_away:
            _log.info("%s: back", self.alarm.name)
            self._is_away = False
        if len(unsent.rows) == limit:
            return self._now_ms()
        if unsent.is_more_soon:
            return self._now_ms() + SOON_MS
        return min(self._held_until_ms.values(), default=None)

    async def _send(self, rows: Sequence[Row]) -> Exception | None:
        """Send rows in waves without a key in common; what was not acknowledged, if any."""
        stuck: set[str] = set()
        lost: Exception | None = None
        rest = rows
        while rest and lost is None:
            wave, rest = _first_of_each_key(rest, stuck)
            results = await self._broker.send(self.source, wave) if wave else ()
            acknowledged = []
            for row, result in zip(wave, results, strict=True):
                if result is None:
                    acknowledged.append(row.position)
                    continue
                stuck.add(row.key)
                if isinstance(result, MessageRefused):
                    self._hold(row, result)
                else:
                    lost = result
            if acknowledged:
                await self.outbox.mark_sent(acknowledged, now_ms=self._now_ms())
                self.sent += len(acknowledged)
        return lost

    def _hold(self, row: Row, refusal: MessageRefused) -> None:
        """It will not be taken the next time either: it waits, and its key behind it."""
        _log.error(
            "%s: %s %s is refused: %s", self.alarm.name, row.name, row.event_id, refusal.detail
        )
        self._held_until_ms[row.key] = self._now_ms() + round(self._config.held_s * 1000)

    def _let_go(self) -> None:
        now_ms = self._now_ms()
        due = [key for key, until_ms in self._held_until_ms.items() if until_ms <= now_ms]
        for key in due:
            del self._held_until_ms[key]

    def _now_ms(self) -> int:
        return self._runtime.clock.now_ms()


def _first_of_each_key(rows: Sequence[Row], stuck: set[str]) -> tuple[Sequence[Row], Sequence[Row]]:
    """The oldest row of each key, and the others; none of a key that is stuck."""
    wave: list[Row] = []
    rest: list[Row] = []
    keys: set[str] = set()
    for row in rows:
        if row.key in stuck:
            continue
        if row.key in keys:
            rest.append(row)
        else:
            keys.add(row.key)
            wave.append(row)
    return wave, rest
