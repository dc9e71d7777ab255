"""The keys that verify access tokens, where the user service is in another process."""

import logging
from typing import Final

from emporion.chassis.auth.keys import PublicKey
from emporion.chassis.auth.verifier import PublicKeys
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.user import Nothing, UserService
from emporion.kernel.errors import EmporionError

_log = logging.getLogger(__name__)
RENEWED_EVERY_MS: Final = 60_000
"""A new key is published an hour before it signs; one that is withdrawn is out after this."""
TRIED_EVERY_MS: Final = 250
"""While no key is known, no token can be verified."""


class RemoteKeys:
    """Asks the user service for its public keys, and keeps the last answer while it is away.

    Serve `alarm`. Until the first answer `keys()` is empty, and tokens are answered Unavailable.
    """

    def __init__(self, users: UserService, runtime: Runtime) -> None:
        self.alarm = Alarm("keys of access tokens", runtime, self._renew)
        self._users = users
        self._clock = runtime.clock
        self._keys: PublicKeys = ()

    def keys(self) -> PublicKeys:
        """The keys; the same tuple object until they change."""
        return self._keys

    async def probe(self) -> None:
        """Readiness: raises what asking raises while no key is known."""
        if not self._keys:
            await self._ask()

    async def _renew(self) -> int:
        try:
            await self._ask()
        except EmporionError as error:
            if self._keys:
                _log.warning("the keys of access tokens stay as they are: %s", error.detail)
                return self._clock.now_ms() + RENEWED_EVERY_MS
            return self._clock.now_ms() + TRIED_EVERY_MS
        return self._clock.now_ms() + RENEWED_EVERY_MS

    async def _ask(self) -> None:
        answer = await self._users.jwks(Nothing())
        keys = tuple(PublicKey(key.kid, key.x) for key in answer.keys)
        if keys != self._keys:
            self._keys = keys
