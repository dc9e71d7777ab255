"""What may never reach a span, a log line or a metric: refused where it is said, not masked later.

Fields are judged by their names: the parts of `payment_token`, `cardNumber` or `x-api-key` are
compared with a list of words.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

_log = logging.getLogger(__name__)

WORDS = frozenset(
    {
        "apikey", "auth", "authorization", "bearer", "card", "cookie", "credential", "credentials",
        "cvc", "cvv", "iban", "jwt", "otp", "pan", "passphrase", "passwd", "password", "pin", "pwd",
        "secret", "secrets", "signature", "ssn", "token", "tokens",
    }
)  # fmt: skip
PAIRS = frozenset({"api key", "private key", "access key", "security code", "set cookie"})
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class ForbiddenField(ValueError):
    """A field whose name says that it holds a secret or card data was about to be recorded."""


@lru_cache(maxsize=4096)
def forbidden_word(name: str) -> str | None:
    """The word because of which a field of this name is refused, or None."""
    parts: list[str] = [part.lower() for part in _PART.findall(name)]
    for part in parts:
        if part in WORDS:
            return part
    pairs = (" ".join(pair) for pair in pairwise(parts))
    return next((pair for pair in pairs if pair in PAIRS), None)


class FieldGuard:
    """Decides over the names of fields that are about to be recorded.

    Strict (in tests and development) it raises ForbiddenField, so that the mistake is found where
    it is made. Otherwise the field is dropped, counted in `refused` by word, and named in the
    log once; the request goes on.
    """

    def __init__(self, *, is_strict: bool) -> None:
        self.is_strict = is_strict
        self.refused: Counter[str] = Counter()
        self._named: set[str] = set()

    def refused_names(self, names: Iterable[str]) -> list[str]:
        """Those of the names that must be dropped. Raises ForbiddenField when strict."""
        refused = [name for name in names if forbidden_word(name) is not None]
        for name in refused:
            word = forbidden_word(name) or ""
            if self.is_strict:
                raise ForbiddenField(f"the field {name!r} may not be recorded ({word})")
            self.refused[word] += 1
            if name not in self._named and len(self._named) < 1000:  # noqa: PLR2004 - a bound
                self._named.add(name)
                _log.warning("a field named %r was refused: it may hold a secret", name)
        return refused

    def allowed(self, fields: dict[str, object]) -> dict[str, object]:
        """The fields that may be recorded. Raises ForbiddenField when strict."""
        refused = self.refused_names(fields)
        if not refused:
            return fields
        return {name: value for name, value in fields.items() if name not in refused}
