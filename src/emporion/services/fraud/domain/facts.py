"""What is known about an order when it is judged, and what is remembered of orders before it."""

from collections.abc import Sequence

from emporion.kernel.money import Money
from emporion.kernel.value import Value

TRIES_MAX = 32
"""Remembered of a person or a payment method; no rule may look for more."""
WINDOW_S_MAX = 30 * 86_400
"""How far back a try is remembered; no rule may look further."""
_ID_INSTANT = slice(-32, -20)
_MS = 1_000


class Try(Value, frozen=True, gc=False, array_like=True):
    """An attempt to pay for an order. `who` is empty in a person's own trail."""

    at_ms: int
    order_id: str
    is_declined: bool
    who: str = ""


class Sum(Value, frozen=True, gc=False, array_like=True):
    """What somebody bought in one currency."""

    orders: int
    amount_minor: int


class Trail(Value, frozen=True, gc=False):
    """What is remembered of a person, or of a payment method: its newest tries, and sums.

    At most TRIES_MAX tries, none older than WINDOW_S_MAX before the newest; at most one Sum for
    each currency.
    """

    tries: tuple[Try, ...] = ()
    sums: dict[str, Sum] = {}  # noqa: RUF012 - a struct copies the default of each

    def has(self, order_id: str) -> bool:
        """Whether a try for that order is among the remembered."""
        return any(each.order_id == order_id for each in self.tries)

    def with_try(self, new: Try) -> "Trail":
        """With one more try; the oldest is forgotten when there are too many."""
        tries = [*self.tries, new][-TRIES_MAX:]
        if self.tries and new.at_ms < self.tries[-1].at_ms:
            tries = sorted((*self.tries, new), key=_instant)[-TRIES_MAX:]
        oldest_ms = tries[-1].at_ms - WINDOW_S_MAX * _MS
        if tries[0].at_ms < oldest_ms:
            tries = [each for each in tries if each.at_ms >= oldest_ms]
        return Trail(tuple(tries), self.sums)

    def with_sale(self, amount: Money) -> "Trail":
        """With one more order in the sums."""
        before = self.sums.get(amount.currency, _NOTHING)
        after = Sum(before.orders + 1, before.amount_minor + amount.amount_minor)
        return Trail(self.tries, {**self.sums, amount.currency: after})


_NOTHING = Sum(0, 0)


def _instant(each: Try) -> int:
    return each.at_ms


class Past(Value, frozen=True, gc=False, array_like=True):
    """A try before this order: how long ago, by which person (0: this one; others by number)."""

    ago_s: int
    is_declined: bool
    person: int = 0


class Facts(Value, frozen=True, gc=False, omit_defaults=True):
    """All that a rule may look at, kept with the screening, so that other rules can be tried on it.

    Nothing in it names a person or a payment method. `account_age_s` is None when it is not known.
    """

    amount_minor: int
    currency: str
    account_age_s: int | None = None
    has_method: bool = False
    own: tuple[Past, ...] = ()
    method: tuple[Past, ...] = ()
    sums: dict[str, Sum] = {}  # noqa: RUF012 - a struct copies the default of each


class Order(Value, frozen=True, gc=False):
    """An order to be judged. `method` is the keyed hash of its payment token, or empty."""

    order_id: str
    user_id: str
    amount: Money
    placed_at_ms: int
    method: str = ""


def facts_of(order: Order, person: Trail, method: Trail) -> Facts:
    """What is known of an order: tries up to its own instant, newest last.

    Tries that were told too late are missing; they count for the orders after them.
    """
    return Facts(
        amount_minor=order.amount.amount_minor,
        currency=order.amount.currency,
        account_age_s=account_age_s(order),
        has_method=bool(order.method),
        own=_past(person.tries, order),
        method=_past(method.tries, order) if order.method else (),
        sums=person.sums,
    )


def account_age_s(order: Order) -> int | None:
    """How old the account was: its id begins with the instant at which it was made."""
    age_ms = order.placed_at_ms - int(order.user_id[_ID_INSTANT], 16)
    return age_ms // _MS if age_ms >= 0 else None


def _past(tries: Sequence[Try], order: Order) -> tuple[Past, ...]:
    people = {"": 0, order.user_id: 0}
    now_ms = order.placed_at_ms
    return tuple(
        [
            Past(
                (now_ms - each.at_ms) // _MS,
                each.is_declined,
                people.setdefault(each.who, len(people) - 1),
            )
            for each in tries
            if each.at_ms <= now_ms and each.order_id != order.order_id
        ]
    )
