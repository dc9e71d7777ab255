"""The built-in provider for development and drills: its token says how it behaves.

tok_ok            takes the money
tok_declined      says no: insufficient_funds
tok_timeout       takes the money, but its answer is lost a few times
tok_timeout_lost  the request is lost a few times, then it takes the money
tok_late          takes the money and answers late, and then once more to the listener
tok_twice         takes the money and answers twice
tok_declined_late says no, then takes the money all the same, and tells the listener so late
tok_never         never says what happened

Any other token is declined: invalid_payment_method. It keeps a book of its effects (adapters.book),
so that an audit can compare the provider's truth with ours.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from emporion.chassis.runtime.ports import Tasks
from emporion.contracts.payment import WebhookRefused
from emporion.contracts.words import OrderId as OrderIdOnTheWire
from emporion.kernel.errors import FailedPrecondition, Unavailable
from emporion.kernel.ids import ORDER, OrderId
from emporion.kernel.money import Money
from emporion.services.payment.adapters.book import Book, Entry
from emporion.services.payment.adapters.signing import require_signed
from emporion.services.payment.domain import capture_key, charge_key, order_of_key, void_key
from emporion.services.payment.ports import (
    Answer,
    Approval,
    Decline,
    Listener,
    Notice,
    ReturnedThere,
    Reversal,
    Standing,
)

BOOK_FILE = "provider.log"
REFERENCE_PREFIX = "rh_"
LOST_ANSWERS = 2
LATE_S = 2.0
SILENT_KEYS_MAX = 10_000


class Told(msgspec.Struct, frozen=True, gc=False):
    """A webhook of this provider: something happened to the money of an order."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    order_id: OrderIdOnTheWire


_decode_webhook = msgspec.json.Decoder(Told).decode


class RehearsalProvider:
    """PaymentProvider without a network. Idempotent by key, also after a restart.

    Args:
        tasks: to be late with.
        path: its book; None keeps the book in memory.
        is_shared: whether other processes write the book too.
        lost_answers: how many answers (or requests) are lost before one arrives.
        late_s: how late a late answer is, in seconds.
        webhook_secret: what its webhooks are signed with; empty: it takes none.
    """

    name = "rehearsal"

    def __init__(  # noqa: PLR0913 - each is a way to rehearse
        self,
        tasks: Tasks,
        *,
        path: Path | None = None,
        is_shared: bool = False,
        lost_answers: int = LOST_ANSWERS,
        late_s: float = LATE_S,
        webhook_secret: str = "",
    ) -> None:
        self._tasks = tasks
        self._book = Book(path, is_shared=is_shared)
        self._lost_answers = lost_answers
        self._late_s = late_s
        self._webhook_secret = webhook_secret
        self._lost: dict[str, int] = {}
        self._silent: set[str] = set()
        self._to_hold: set[str] = set()
        self._listener: Listener | None = None
        self._behaviours: dict[str, Callable[[str, Money], Awaitable[Answer]]] = {
            "tok_declined": self._declined,
            "tok_declined_late": self._declined_late,
            "tok_timeout": self._timeout,
            "tok_timeout_lost": self._timeout_lost,
            "tok_late": self._late,
            "tok_twice": self._twice,
            "tok_never": self._never,
        }

    async def charge(self, *, key: str, amount: Money, token: str) -> Answer:
        if token == "tok_ok":  # noqa: S105 - the name of a behaviour
            return self._take(key, amount)
        behave = self._behaviours.get(token)
        if behave is None:
            return Decline("invalid_payment_method")
        return await behave(key, amount)

    async def authorise(self, *, key: str, amount: Money, token: str) -> Answer:
        """Behaves by its token as a charge does, but holds what that takes."""
        self._to_hold.add(key)
        try:
            return await self.charge(key=key, amount=amount, token=token)
        finally:
            self._to_hold.discard(key)

    async def capture(self, *, key: str, reference: str, amount: Money) -> Approval:
        held = self._book.find(_key_in(reference))
        if held is None or held.kind != "hold" or held.amount != amount:
            raise FailedPrecondition("no such amount is held")
        if self._book.find(void_key(order_of_key(held.key))) is not None:
            raise FailedPrecondition("it is not held any more")
        self._book.put(Entry("charge", key, _reference(key), amount))
        return Approval(reference)

    async def void(self, *, key: str, reference: str) -> None:
        held = self._book.find(_key_in(reference))
        if held is None or held.kind != "hold":
            return
        if self._book.find(capture_key(order_of_key(held.key))) is not None:
            raise FailedPrecondition("it was captured")
        self._book.put(Entry("void", key, _reference(key), held.amount))

    async def refund(self, *, key: str, reference: str, amount: Money) -> Reversal:
        """Give money back, unless the charge is unknown or all refunds would exceed it."""
        done = self._book.find(key)
        if done is None:
            taken = self._taken(_key_in(reference))
            if taken is None:
                raise FailedPrecondition("there is no such charge")
            returned = Money(self._book.returned_minor(order_of_key(taken.key)), amount.currency)
            if (taken.amount - returned - amount).amount_minor < 0:
                raise FailedPrecondition("this is more than was taken")
            done = self._book.put(Entry("refund", key, _reference(key), amount))
        return Reversal(done.reference)

    async def find(self, *, key: str) -> Answer | None:
        if key in self._silent:
            raise Unavailable("the payment provider did not answer")
        entry = self._book.find(key)
        if entry is None or self._book.find(void_key(order_of_key(key))) is not None:
            return None
        return Approval(entry.reference, is_held=self._taken(key) is None)

    async def look(self, *, order_id: OrderId, reference: str) -> Standing | None:
        key = charge_key(order_id)
        entry = self._book.find(key)
        if key in self._silent:
            raise Unavailable("the payment provider did not answer")
        if entry is None:
            return None
        is_taken = self._taken(key) is not None
        is_void = self._book.find(void_key(order_id)) is not None
        return Standing(
            order_id,
            entry.reference,
            entry.amount,
            is_held=not is_taken and not is_void,
            is_taken=is_taken,
            returned=tuple(
                ReturnedThere(each.key, each.reference, each.amount)
                for each in self._book.refunds_of(order_id)
            ),
            reason="voided" if is_void else "",
        )

    async def dealings(self, *, since_ms: int) -> AsyncIterator[Standing]:
        first = f"{ORDER}_{since_ms:012x}"
        entries = [each for each in self._book.entries() if order_of_key(each.key) >= first]
        voided = {order_of_key(each.key) for each in entries if each.kind == "void"}
        captured = {each.key for each in entries if each.kind == "charge"}
        refunds: dict[OrderId, list[ReturnedThere]] = {}
        for each in entries:
            if each.kind == "refund":
                back = ReturnedThere(each.key, each.reference, each.amount)
                refunds.setdefault(order_of_key(each.key), []).append(back)
        for each in entries:
            order_id = order_of_key(each.key)
            is_captured = capture_key(order_id) in captured
            if each.kind in {"refund", "void"} or each.key == capture_key(order_id):
                continue
            is_taken = each.kind == "charge" or is_captured
            is_main = each.key == charge_key(order_id)
            yield Standing(
                order_id,
                each.reference,
                each.amount,
                is_held=not is_taken and order_id not in voided,
                is_taken=is_taken,
                returned=tuple(
                    back
                    for back in refunds.get(order_id, ())
                    if back.key.endswith(each.reference)
                    or (is_main and "-surplus-" not in back.key)
                ),
            )

    def read_webhook(self, body: bytes, signature: str, *, now_ms: int) -> Notice:
        if not self._webhook_secret:
            raise WebhookRefused("no secret is set to check webhooks with")
        require_signed(body, signature, self._webhook_secret, now_s=now_ms // 1000)
        try:
            told = _decode_webhook(body)
        except msgspec.MsgspecError:
            raise WebhookRefused("it is signed, and no webhook of this provider") from None
        return Notice(told.id, told.order_id, _reference(charge_key(told.order_id)))

    def listen(self, listener: Listener) -> None:
        self._listener = listener

    def close(self) -> None:
        """Close the book."""
        self._book.close()

    def _take(self, key: str, amount: Money) -> Approval:
        kind: Literal["hold", "charge"] = "hold" if key in self._to_hold else "charge"
        entry = self._book.put(Entry(kind, key, _reference(key), amount))
        return Approval(entry.reference, is_held=entry.kind == "hold")

    def _taken(self, key: str) -> Entry | None:
        """What was taken by the charge of that key, at once or after it was held."""
        entry = self._book.find(key)
        if entry is not None and entry.kind == "hold":
            entry = self._book.find(capture_key(order_of_key(key)))
        return entry if entry is not None and entry.kind == "charge" else None

    async def _declined(self, key: str, amount: Money) -> Answer:
        return Decline("insufficient_funds")

    async def _declined_late(self, key: str, amount: Money) -> Answer:
        _ = self._tasks.spawn("change of mind", self._change_its_mind(key, amount))
        return Decline("insufficient_funds")

    async def _change_its_mind(self, key: str, amount: Money) -> None:
        await self._tasks.sleep(self._late_s)
        await self._tell(key, self._take(key, amount), after_s=0.0)

    async def _timeout(self, key: str, amount: Money) -> Answer:
        answer = self._take(key, amount)
        self._lose(key)
        return answer

    async def _timeout_lost(self, key: str, amount: Money) -> Answer:
        self._lose(key)
        return self._take(key, amount)

    async def _late(self, key: str, amount: Money) -> Answer:
        answer = self._take(key, amount)
        _ = self._tasks.spawn("late answer", self._tell(key, answer, after_s=self._late_s))
        await self._tasks.sleep(self._late_s)
        return answer

    async def _twice(self, key: str, amount: Money) -> Answer:
        answer = self._take(key, amount)
        _ = self._tasks.spawn("second answer", self._tell(key, answer, after_s=0.0))
        return answer

    async def _never(self, key: str, amount: Money) -> Answer:
        if len(self._silent) < SILENT_KEYS_MAX:
            self._silent.add(key)
        raise Unavailable("the payment provider did not answer")

    def _lose(self, key: str) -> None:
        lost = self._lost.pop(key, 0)
        if lost < self._lost_answers:
            self._lost[key] = lost + 1
            raise Unavailable("the payment provider did not answer")

    async def _tell(self, key: str, answer: Answer, *, after_s: float) -> None:
        await self._tasks.sleep(after_s)
        if self._listener is not None:
            await self._listener(key, answer)


def _reference(key: str) -> str:
    return f"{REFERENCE_PREFIX}{key}"


def _key_in(reference: str) -> str:
    return reference.removeprefix(REFERENCE_PREFIX)
