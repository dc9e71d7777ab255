"""What is known about an order when it is judged, and what is remembered of orders before it.

Tries are kept as bytes, one column each: every order takes up to 32 of them through its screening,
and as bytes they are read, counted and written without an object for each.
"""

from bisect import bisect_right

from emporion.kernel.value import Value

TRIES_MAX = 32
"""Remembered of a person or a payment method; no rule may look for more."""
WINDOW_S_MAX = 30 * 86_400
"""How far back a try is remembered; no rule may look further."""
_ID_INSTANT = slice(-32, -20)
_ID_RANDOM = slice(-16, None)
_MS = 1_000
_AT = 6
"""Bytes of an instant: milliseconds since the epoch, big-endian, so that they compare as bytes."""
_WHICH = 8
"""Bytes that tell an order or a person from the others of a trail: 64 random bits of the id."""


class Sum(Value, frozen=True, gc=False, array_like=True):
    """What somebody bought in one currency."""

    orders: int
    amount_minor: int


class Past(Value, frozen=True, gc=False, array_like=True):
    """Tries before an order, the oldest first.

    Args:
        instants: of each, six bytes.
        declined: of each, a byte: 1 when the payment was declined.
        people: of each by a payment method, a byte: 0 for whoever orders, others by number.
    """

    instants: bytes = b""
    declined: bytes = b""
    people: bytes = b""

    def later_than(self, at_ms: int) -> int:
        """The place of the first try after that instant."""
        return _place_after(self.instants, at_ms)


class Trail(Value, frozen=True, gc=False, array_like=True):
    """What is remembered of a person, or of a payment method: its newest tries, and sums.

    At most TRIES_MAX tries, none older than WINDOW_S_MAX before the newest, in the order of their
    instants; at most one Sum for each currency. `people` is empty in a person's own trail.
    """

    instants: bytes = b""
    declined: bytes = b""
    orders: bytes = b""
    people: bytes = b""
    sums: dict[str, Sum] = {}  # noqa: RUF012 - a struct copies the default of each

    def has(self, order_id: str) -> bool:
        """Whether a try for that order is among the remembered."""
        which = _which(order_id)
        return which in self.orders and which in _each(self.orders, _WHICH)

    def with_try(self, at_ms: int, order_id: str, *, is_declined: bool, who: str = "") -> "Trail":
        """With one more try; the oldest is forgotten when there are too many."""
        at = _at(at_ms)
        place = _place_after(self.instants, at_ms)
        instants = _put(self.instants, at, place)
        first = _forgotten(instants)
        return Trail(
            instants[first * _AT :],
            _put(self.declined, _DECLINED if is_declined else _PAID, place)[first:],
            _put(self.orders, _which(order_id), place)[first * _WHICH :],
            _put(self.people, _which(who), place)[first * _WHICH :] if who else b"",
            self.sums,
        )

    def with_sale(self, amount_minor: int, currency: str) -> "Trail":
        """With one more order in the sums."""
        before = self.sums.get(currency, _NOTHING)
        sums = {**self.sums, currency: Sum(before.orders + 1, before.amount_minor + amount_minor)}
        return Trail(self.instants, self.declined, self.orders, self.people, sums)


class Facts(Value, frozen=True, gc=False, omit_defaults=True):
    """All that a rule may look at, kept with the screening, so that other rules can be tried on it.

    Nothing in it names a person or a payment method. `account_age_s` is None when it is not known.
    """

    amount_minor: int
    currency: str
    placed_at_ms: int
    account_age_s: int | None = None
    has_method: bool = False
    own: Past = Past()
    method: Past = Past()
    sums: dict[str, Sum] = {}  # noqa: RUF012 - a struct copies the default of each


class Order(Value, frozen=True, gc=False):
    """An order to be judged. `method` is the keyed hash of its payment token, or empty."""

    order_id: str
    user_id: str
    amount_minor: int
    currency: str
    placed_at_ms: int
    method: str = ""


_NOTHING = Sum(0, 0)
_NO_PAST = Past()
_PAID, _DECLINED = b"\0", b"\1"


def facts_of(order: Order, person: Trail, method: Trail) -> Facts:
    """What is known of an order: tries up to its own instant, newest last.

    Tries that were told too late are missing; they count for the orders after them.
    """
    return Facts(
        order.amount_minor,
        order.currency,
        order.placed_at_ms,
        account_age_s(order),
        bool(order.method),
        _past(person, order),
        _past(method, order) if order.method else _NO_PAST,
        person.sums,
    )


def account_age_s(order: Order) -> int | None:
    """How old the account was: its id begins with the instant at which it was made."""
    age_ms = order.placed_at_ms - int(order.user_id[_ID_INSTANT], 16)
    return age_ms // _MS if age_ms >= 0 else None


def _past(trail: Trail, order: Order) -> Past:
    """The tries of a trail up to an order, without its own."""
    before = _place_after(trail.instants, order.placed_at_ms)
    people = _numbered(trail.people, order.user_id) if trail.people else b""
    if before == len(trail.declined) and not trail.has(order.order_id):
        return Past(trail.instants, trail.declined, people)
    own = _which(order.order_id)
    orders = _each(trail.orders, _WHICH)[:before]
    kept = [place for place, which in enumerate(orders) if which != own]
    instants = _each(trail.instants, _AT)
    return Past(
        b"".join([instants[place] for place in kept]),
        bytes([trail.declined[place] for place in kept]),
        bytes([people[place] for place in kept]) if people else b"",
    )


def _numbered(people: bytes, me: str) -> bytes:
    """People by number, in the order in which they come; 0 is `me`."""
    which, number = _which(me), len(people) // _WHICH
    if people == which * number:
        return bytes(number)
    numbers = {which: 0}
    return bytes([numbers.setdefault(each, len(numbers)) for each in _each(people, _WHICH)])


def _place_after(instants: bytes, at_ms: int) -> int:
    """How many of the instants are not after that one."""
    if at_ms < 0:
        return 0
    at = _at(at_ms)
    if instants[-_AT:] <= at:
        return len(instants) // _AT
    if instants[:_AT] > at:
        return 0
    return bisect_right(_each(instants, _AT), at)


def _forgotten(instants: bytes) -> int:
    """How many of the oldest are too many, or too old."""
    many = max(0, len(instants) // _AT - TRIES_MAX)
    oldest_ms = int.from_bytes(instants[-_AT:], "big") - WINDOW_S_MAX * _MS
    if oldest_ms < 0 or instants[many * _AT : (many + 1) * _AT] >= _at(oldest_ms):
        return many
    return _place_after(instants, oldest_ms - 1)


def _put(row: bytes, new: bytes, place: int) -> bytes:
    """A row of bytes with something more in it, as the one of that place."""
    at = place * len(new)
    if at == len(row):
        return row + new
    return row[:at] + new + row[at:]


def _each(row: bytes, size: int) -> list[bytes]:
    return [row[at : at + size] for at in range(0, len(row), size)]


def _at(at_ms: int) -> bytes:
    return at_ms.to_bytes(_AT, "big")


def _which(an_id: str) -> bytes:
    return bytes.fromhex(an_id[_ID_RANDOM])
