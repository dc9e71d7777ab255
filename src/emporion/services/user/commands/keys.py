"""The signing keys of access tokens: made, loaded, rotated."""

from collections.abc import Sequence
from typing import Final

from emporion.chassis.auth.keys import SigningKey
from emporion.chassis.auth.rotation import (
    KeyTerm,
    ended_terms,
    next_change_ms,
    next_term_from_ms,
    signing_term,
)
from emporion.chassis.auth.verifier import PublicKeys
from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.services.user.ports import SigningKeys, StoredKey

_SECRET_BYTES: Final = 32


class KeyRing:
    """The keys in memory, as the database has them.

    The database is what instances share: whichever comes first at a rotation makes the key, the
    others find it there. Private keys lie in it unencrypted, readable for whoever reads the
    file; encrypting them with a key beside it would only look safer. The platform keeps the
    file to its own user (mode 0600).
    """

    def __init__(self, database: Database, store: SigningKeys, runtime: Runtime) -> None:
        self._database = database
        self._store = store
        self._clock = runtime.clock
        self._random = runtime.random
        self._pairs: dict[str, SigningKey] = {}
        self._terms: tuple[KeyTerm, ...] = ()
        self._public: PublicKeys = ()

    def public_keys(self) -> PublicKeys:
        """What verifies our tokens, the newest first; empty until the first `renew` or `signing`.

        The same tuple object until the set changes: what TokenVerifier asks for.
        """
        return self._public

    async def signing(self) -> SigningKey:
        """The key that signs now; the very first call makes it."""
        if not self._terms:
            await self.renew()
        return self._pairs[signing_term(self._terms, self._clock.now_ms()).kid]

    async def renew(self) -> int:
        """Make a key when one is due, drop those whose tokens have expired, load the rest.

        Returns the instant of the next change.
        """
        fresh = SigningKey.from_secret(self._random.token(_SECRET_BYTES))
        now_ms = self._clock.now_ms()

        async def work(tx: Tx) -> list[StoredKey]:
            return await self._rotate(tx, fresh, now_ms)

        self._hold(await self._database.transaction(work))
        return next_change_ms(self._terms)

    async def probe(self) -> None:
        """Raises what the database raises when the keys cannot be had."""
        await self.signing()
        await self._database.read(self._store.all)

    async def _rotate(self, tx: Tx, fresh: SigningKey, now_ms: int) -> list[StoredKey]:
        await tx.lock("signing keys")
        stored = await self._store.all(tx)
        signs_from_ms = next_term_from_ms(_terms(stored), now_ms)
        if signs_from_ms is not None:
            key = StoredKey(fresh.kid, signs_from_ms, fresh.stored())
            await self._store.add(tx, key)
            stored.append(key)
        ended = {term.kid for term in ended_terms(_terms(stored), now_ms)}
        for kid in ended:
            await self._store.delete(tx, kid)
        return [key for key in stored if key.kid not in ended]

    def _hold(self, stored: Sequence[StoredKey]) -> None:
        terms = _terms(stored)
        if terms == self._terms:
            return
        self._pairs = {key.kid: SigningKey.from_stored(key.pair) for key in stored}
        self._public = tuple(self._pairs[key.kid].public for key in reversed(stored))
        self._terms = terms


def _terms(stored: Sequence[StoredKey]) -> tuple[KeyTerm, ...]:
    return tuple(KeyTerm(key.kid, key.signs_from_ms) for key in stored)
