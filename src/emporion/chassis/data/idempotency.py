"""Idempotency keys of commands that are no sagas: the effect and its key in one transaction."""

from collections.abc import Awaitable, Callable

from emporion.chassis.data.database import Tx
from emporion.kernel.errors import InvalidArgument

_FIND = "SELECT fingerprint FROM idempotency WHERE key = ?"
_STORE = "INSERT INTO idempotency (key, fingerprint, at_ms) VALUES (?, ?, ?)"
_PRUNE = "DELETE FROM idempotency WHERE at_ms < ?"


class FingerprintDiffers(InvalidArgument):
    """The key was used before with another request."""

    slug = "idempotency-fingerprint-differs"
    title = "The idempotency key was used for a different request"


async def once(
    tx: Tx, key: str, fingerprint: bytes, *, now_ms: int, work: Callable[[], Awaitable[None]]
) -> bool:
    """Run `work` in this transaction unless the key was used before; whether it ran.

    The key is stored with the effects of `work`: a command that failed stores nothing, so that
    its retry runs again. Raises FingerprintDiffers.
    """
    row = await tx.fetch_one(_FIND, key)
    if row is not None:
        if row[0] != fingerprint:
            raise FingerprintDiffers
        return False
    await work()
    await tx.execute(_STORE, key, fingerprint, now_ms)
    return True


async def prune(tx: Tx, *, before_ms: int) -> int:
    """Forget keys used before an instant; how many."""
    return await tx.execute(_PRUNE, before_ms)
