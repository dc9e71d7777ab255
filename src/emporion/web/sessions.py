"""Who is signed in: tokens in cookies that no script can read, renewed from one place at a time."""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from emporion.chassis.calls.context import Trace
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.contract import rpcs
from emporion.contracts.user import InvalidRefreshToken, RefreshToken, Session, UserService
from emporion.kernel.errors import EmporionError, Unavailable
from emporion.web.asking import Asked, Asking

_log = logging.getLogger(__name__)
ACCESS: Final = "access"
REFRESH: Final = "refresh"
UNTIL: Final = "until"
"""When a session that is not prolonged ends, in seconds since the epoch."""
SESSION_S: Final = 30 * 24 * 3_600
"""How long a browser keeps the refresh token: as long as the user service does at most."""
EARLY_S: Final = 30
"""An access token leaves the browser so long before it expires."""
KEPT_S: Final = 60.0
KEPT_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Renewal:
    """A refresh token being exchanged, or just exchanged; None: the session is over."""

    outcome: asyncio.Future[Session | None]
    until_s: float


class Renewals:
    """Exchanges refresh tokens, each once.

    A refresh token that is presented twice ends its session, for somebody else may hold it. But a
    browser asks for several things at once, all with the same cookies: so whoever comes with a
    token that was exchanged within the last KEPT_S is given the same outcome. One process knows
    of its own exchanges only: a balancer in front of several must keep a visitor at one of them.
    """

    def __init__(self, runtime: Runtime, asking: Asking) -> None:
        self._runtime = runtime
        self._asking = asking
        self._kept: OrderedDict[bytes, _Renewal] = OrderedDict()

    async def renew(self, refresh_token: str, trace: Trace) -> Session | None:
        """The session that follows, or None when it is over. Raises Unavailable and its like."""
        now_s = self._runtime.clock.monotonic_s()
        self._forget(now_s)
        key = hashlib.sha256(refresh_token.encode()).digest()
        renewal = self._kept.get(key)
        if renewal is None:
            outcome = asyncio.get_running_loop().create_future()
            renewal = self._kept[key] = _Renewal(outcome, now_s + KEPT_S)
            work = self._exchange(key, refresh_token, trace)
            _ = self._runtime.tasks.spawn("renew a session", work)
        return await asyncio.shield(renewal.outcome)

    async def _exchange(self, key: bytes, refresh_token: str, trace: Trace) -> None:
        outcome = self._kept[key].outcome
        request = RefreshToken(refresh_token=refresh_token)
        try:
            session = await self._asking.ask(
                Asked(UserService, rpcs(UserService)["refresh"], request, "", trace)
            )
            assert isinstance(session, Session)  # noqa: S101 - the contract says so
            outcome.set_result(session)
        except InvalidRefreshToken:
            outcome.set_result(None)
        except EmporionError as error:
            # Not known to be over: whoever comes next tries again.
            self._kept.pop(key, None)
            outcome.set_exception(error)
        except Exception:  # noqa: BLE001 - a defect leaves it open, too, whether it is over
            _log.exception("a session could not be renewed")
            self._kept.pop(key, None)
            outcome.set_exception(Unavailable())
        finally:
            outcome.cancel()  # nobody waits for ever, whatever went wrong

    def _forget(self, now_s: float) -> None:
        while self._kept:
            first = next(iter(self._kept.values()))
            if len(self._kept) < KEPT_MAX and first.until_s > now_s:
                return
            self._kept.popitem(last=False)
