"""Isolates the events of a batch that fail, and notices a subscriber that fails as a whole."""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from emporion.chassis.events.inbox import CursorMoved
from emporion.chassis.events.reactions import Item, ReactionFailed
from emporion.chassis.events.retry import BusConfig, RetryPolicy
from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import DeadlineExceeded, ResourceExhausted, Unavailable

Commit = Callable[[Sequence[Item], Exception | None], Awaitable[int]]
"""Commits a batch and says how many events were reacted to; given an error, the batch's last
event is the one that failed and is set aside."""
After = Callable[[Sequence[Item], int], Sequence[Item]]
"""What is left of a batch after the event at that index was set aside."""
ENGINE_ERRORS = (Unavailable, DeadlineExceeded, ResourceExhausted)
"""Raised outside of a reaction, these accuse the database and no event."""
BROKEN_PAUSE_S = 1.0

_log = logging.getLogger(__name__)


class Streak:
    """Counts failures with no success between.

    From `failures_in_a_row_max` on the subscriber counts as broken: nothing is delivered until
    `resume_at_ms`, then one event at a time until one succeeds.
    """

    def __init__(self, runtime: Runtime, config: BusConfig) -> None:
        self.failures = 0
        self.resume_at_ms = 0
        self._in_a_row = 0
        self._max = config.failures_in_a_row_max
        self._pause = RetryPolicy(BROKEN_PAUSE_S, config.broken_pause_s_max)
        self._runtime = runtime

    @property
    def is_broken(self) -> bool:
        """Whether the subscriber fails as a whole."""
        return self._in_a_row >= self._max

    def end(self) -> None:
        """A success."""
        self._in_a_row = 0
        self.resume_at_ms = 0

    def failed(self) -> None:
        """A failure; the break begins when there are too many."""
        self.failures += 1
        self._in_a_row += 1
        if not self.is_broken:
            return
        doublings = self._in_a_row - self._max
        pause_ms = self._pause.pause_ms(doublings + 1, self._runtime.random)
        self.resume_at_ms = self._runtime.clock.now_ms() + pause_ms
        _log.error("%d failures in a row; the next is tried in %d ms", self._in_a_row, pause_ms)


async def settle(items: Sequence[Item], commit: Commit, *, after: After, streak: Streak) -> bool:
    """Commit a batch, setting aside what fails; False when the subscriber turned out broken.

    When a reaction fails, the events before it are committed together with its being set aside,
    and the rest goes on as a batch: so a failure costs one more transaction, and nothing is
    reacted to more than twice. An error that names no event makes the batch go one by one.
    Raises the database's own errors and CursorMoved: the batch then stands where it stood.
    """
    rest, size = items, len(items)
    while rest:
        batch = rest[:size]
        try:
            handled = await commit(batch, None)
        except ReactionFailed as failure:
            index = await _set_aside(batch, failure, commit, streak=streak)
        except (*ENGINE_ERRORS, CursorMoved):
            raise
        except Exception as error:  # noqa: BLE001 - it is stored with the event that raised it
            if size > 1:
                size = 1
                continue
            index = await _set_aside(batch, ReactionFailed(0, error), commit, streak=streak)
        else:
            if handled:
                streak.end()
            rest = rest[size:]
            continue
        rest = after(rest, index)
        if streak.is_broken:
            return False
    return True


async def _set_aside(
    batch: Sequence[Item], failure: ReactionFailed, commit: Commit, *, streak: Streak
) -> int:
    """Commit up to the event that failed, which is set aside; its index."""
    while True:
        try:
            handled = await commit(batch[: failure.index + 1], failure.error)
        except ReactionFailed as earlier:
            failure = earlier  # one that went well the first time: its index is smaller
            continue
        if handled:
            streak.end()
        streak.failed()
        return failure.index


def parted(
    items: Sequence[Item], failed: Item | None, blocked: Collection[str]
) -> tuple[Sequence[Item], Sequence[Item]]:
    """Those to react to, and those that queue behind others of their key."""
    if failed is None and not blocked:
        return items, ()
    ready = [item for item in items if item is not failed and item.key not in blocked]
    return ready, [item for item in items if item.key in blocked]


def all_after(items: Sequence[Item], index: int) -> Sequence[Item]:
    """For the log: later events of the key are queued by their own commit."""
    return items[index + 1 :]


def other_keys_after(items: Sequence[Item], index: int) -> Sequence[Item]:
    """For retries: later events of the key wait where they are."""
    key = items[index].key
    return [item for item in items[index + 1 :] if item.key != key]
