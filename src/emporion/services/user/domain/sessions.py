"""Sessions, and the throttling of sign-ins."""

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from typing import Final, Self

from emporion.kernel.ids import UserId

SECOND_MS: Final = 1_000
DAY_MS: Final = 24 * 3_600 * SECOND_MS


SESSION_IDLE_MS: Final = 30 * DAY_MS
"""A session that is not refreshed for this long is over."""
SESSION_AGE_MS_MAX: Final = 180 * DAY_MS
"""However busy, it is over then: sign in again."""
SESSIONS_PER_ACCOUNT_MAX: Final = 50
SESSION_ID_BYTES: Final = 16
SECRET_BYTES: Final = 32
REFRESH_TOKEN_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class RefreshSecret:
    """A refresh token taken apart: the session it names, and the secret that proves it.

    The text is `<session id>.<secret>`, both unguessable; of the secret only a hash is stored.
    """

    session_id: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The parts of a refresh token, or None when it cannot be one of ours."""
        session_id, dot, secret = text.partition(".")
        if not (session_id and dot and secret) or len(text) > REFRESH_TOKEN_LENGTH_MAX:
            return None
        return cls(session_id, secret) if text.isascii() else None

    @property
    def text(self) -> str:
        """What the client keeps."""
        return f"{self.session_id}.{self.secret}"

    @property
    def hash(self) -> bytes:
        """What we keep: SHA-256. Unsalted is enough for 256 random bits."""
        return hashlib.sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Session:
    """A family of refresh tokens, of which exactly one is good: the last one issued.

    There is no grace for a spent token. Answering it with the same successor would let a quick
    thief share the session for ever; refusing it without ending the session would hide the
    theft. So two clients that refresh one token at once lose the session: a client refreshes
    from one place at a time.
    """

    session_id: str
    user_id: UserId
    token_hash: bytes = field(repr=False)
    started_at_ms: int
    expires_at_ms: int

    @classmethod
    def start(cls, user_id: UserId, token: RefreshSecret, now_ms: int) -> Self:
        """A new session whose one good token is `token`."""
        return cls(token.session_id, user_id, token.hash, now_ms, now_ms + SESSION_IDLE_MS)

    def accepts(self, token: RefreshSecret, now_ms: int) -> bool:
        """Whether it is the one good token, in time. If it is not, the session must end."""
        is_same = hmac.compare_digest(self.token_hash, token.hash)
        return is_same and now_ms < self.expires_at_ms

    def rotate(self, successor: RefreshSecret, now_ms: int) -> "Session":
        """The session with `successor` as its one good token."""
        end_ms = min(now_ms + SESSION_IDLE_MS, self.started_at_ms + SESSION_AGE_MS_MAX)
        return replace(self, token_hash=successor.hash, expires_at_ms=end_ms)


FREE_FAILURES: Final = 5
DELAY_S_MAX: Final = 900
FORGET_FAILURES_MS: Final = DAY_MS
_DOUBLINGS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Attempts:
    """Sign-ins with one address that have not succeeded (yet).

    An attempt counts as failed before its password is looked at, and is forgiven when it turns
    out right: so guesses sent all at once are throttled like guesses in a row. The price is that
    anybody can delay an owner's next sign-in, by at most DELAY_S_MAX.
    """

    failures: int = 0
    blocked_until_ms: int = 0
    forgotten_at_ms: int = 0

    def wait_s(self, now_ms: int) -> int:
        """Whole seconds until the next attempt is looked at; 0: now."""
        return max(0, -(-(self.blocked_until_ms - now_ms) // SECOND_MS))

    def another(self, now_ms: int) -> "Attempts":
        """One more attempt, now."""
        failures = 1 + (self.failures if now_ms < self.forgotten_at_ms else 0)
        until_ms = now_ms + delay_s(failures) * SECOND_MS
        return Attempts(failures, until_ms, now_ms + FORGET_FAILURES_MS)


def delay_s(failures: int) -> int:
    """The pause after that many failures: none for the first few, then doubling from 1 s."""
    if failures < FREE_FAILURES:
        return 0
    return min(DELAY_S_MAX, 1 << min(failures - FREE_FAILURES, _DOUBLINGS_MAX))
