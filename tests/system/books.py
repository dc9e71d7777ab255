"""What the shop's files say, read with nothing of the shop's own code."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.system.files import number, rows
from tests.system.goods import Goods
from tests.system.shoppers import GOES_ON, Attempt, Traffic

SHIPMENTS = ("shipments.shipped", "shipments.delivered")
REACTS_TO = {
    ("email", "order"): (
        "orders.created", "orders.cancelled", "orders.rejected", "orders.refunded",
    ),
    ("inventory", "order"): ("orders.created",),
    ("analytics", "order"): ("orders.created", "orders.cancelled", "orders.rejected"),
    ("recommendation", "order"): ("orders.created", "orders.cancelled"),
    ("email", "shipping"): SHIPMENTS,
    ("order", "shipping"): SHIPMENTS,
}  # fmt: skip
"""Who reacts to which events of whom."""
HAVE_SAGAS = ("order", "shipping")
SOLD = frozenset({"paid", "cancelled", *GOES_ON})
OPEN_SAGAS = (
    "SELECT count(*) FROM saga WHERE state NOT IN ('completed', 'refused') AND started_at_ms < ?"
)
END_OF_TIME_MS = 2**53


def open_sagas(folder: Path, *, before_ms: int = END_OF_TIME_MS) -> int:
    """How many sagas that were started before an instant are under way."""
    return sum(number(folder, service, OPEN_SAGAS, before_ms) for service in HAVE_SAGAS)


def is_delivered(folder: Path) -> bool:
    """Whether every event has reached who reacts to it, and every mail has left."""
    for (subscriber, source), names in REACTS_TO.items():
        if rows(folder, subscriber, "SELECT 1 FROM parked LIMIT 1"):
            return False
        heard = "SELECT position FROM bus_cursor WHERE source = ?"
        cursor = rows(folder, subscriber, heard, source)
        position = cursor[0][0] if cursor else 0
        marks = ", ".join("?" for _ in names)
        unread = f"SELECT 1 FROM outbox WHERE position > ? AND name IN ({marks}) LIMIT 1"
        if rows(folder, source, unread, position, *names):
            return False
    return not rows(folder, "email", "SELECT 1 FROM mail WHERE status = 'queued' LIMIT 1")


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, one line each; three empty lists are what everybody wants.

    Args:
        lost: something that was promised is not there.
        twice: an effect that is there more than once.
        wrong: anything else that does not add up.
    """

    lost: list[str]
    twice: list[str]
    wrong: list[str]

    @property
    def all(self) -> list[str]:
        """Everything, most telling first."""
        return [*self.lost, *self.twice, *self.wrong]


class Books:
    """The books of a shop, compared with what its shoppers were told."""

    def __init__(self, folder: Path, traffic: Traffic) -> None:
        self.folder = folder
        self.traffic = traffic
        self.status: dict[str, str] = dict(
            rows(folder, "order", "SELECT order_id, status FROM orders")
        )
        self.totals: dict[str, int] = dict(
            rows(folder, "order", "SELECT order_id, total_minor FROM orders")
        )
        self.order_of_key = defaultdict[str, list[str]](list)
        sagas = "SELECT key, id FROM saga WHERE name IN ('create-order', 'create-gift-card-order')"
        for key, order_id in rows(folder, "order", sagas):
            self.order_of_key[key.partition(":")[2]].append(order_id)
        self.charged, self.refunded = _provider(folder)
        self.spent, self.given_back = _cards(folder)
        self.goods = Goods(folder, traffic.sales, {*self.refunded, *self.given_back})

    def examine(self) -> Findings:
        """Everything that does not add up."""
        return Findings(
            [*self._lost_orders(), *self._lost_mails(), *self.goods.lost()],
            [
                *self._orders_twice(),
                *self._money_twice(),
                *self._mails_twice(),
                *self.goods.twice(),
            ],
            [
                *self.traffic.contradictions,
                *self._wrong_money(),
                *self._wrong_stock(),
                *self.goods.wrong(),
            ],
        )

    def _attempts(self, *, is_paid: bool) -> Iterator[Attempt]:
        for attempt in self.traffic.attempts:
            if attempt.is_sent and attempt.was_told_paid is is_paid:
                yield attempt

    def _lost_orders(self) -> Iterator[str]:
        for attempt in self._attempts(is_paid=True):
            status = self.status.get(attempt.order_id, "not there")
            expected = {"cancelled"} if attempt.is_cancelled else {"paid"}
            if attempt.sale is not None and attempt.sale.is_done:
                expected = {"refunded" if attempt.sale.is_all_returned else "delivered"}
            if attempt.is_cancel_sent and not attempt.is_cancelled:
                expected = {"paid", "cancelled"}
            if status not in expected:
                yield f"{attempt.order_id} was told {attempt.status}, and is {status}"
        told = sum(1 for _ in self._attempts(is_paid=True))
        sold = sum(status in SOLD for status in self.status.values())
        if told > sold:
            yield f"{told} orders were told as paid, {sold} are"

    def _orders_twice(self) -> Iterator[str]:
        keys = {attempt.key for attempt in self.traffic.attempts if attempt.is_sent}
        for key in keys:
            if len(found := self.order_of_key.get(key, [])) > 1:
                yield f"the key {key} has the orders {found}"
        told = {attempt.order_id for attempt in self._attempts(is_paid=True)}
        for order_id, status in self.status.items():
            if status in SOLD and order_id not in told:
                yield f"{order_id} is {status}, and no shopper knows of it"
        if len(self.status) > len(keys):
            yield f"{len(self.status)} orders from {len(keys)} keys"

    def _money_twice(self) -> Iterator[str]:
        of_cards = (("spent from a card", self.spent), ("given back to a card", self.given_back))
        for kind, entries in (("charged", self.charged), ("refunded", self.refunded), *of_cards):
            for order_id, amounts in entries.items():
                if len(amounts) > 1:
                    yield f"{order_id} was {kind} {len(amounts)} times"

    def _wrong_money(self) -> Iterator[str]:
        for order_id in {*self.status, *self.charged, *self.refunded, *self.spent}:
            kept = sum(self.charged.get(order_id, [])) - sum(self.refunded.get(order_id, []))
            kept += sum(self.spent.get(order_id, [])) - sum(self.given_back.get(order_id, []))
            status = self.status.get(order_id, "not there")
            due = self._due_minor(order_id)
            if kept != due:
                yield f"{order_id} is {status}: {kept} are kept, {due} are due"
        captured = number(
            self.folder, "payment", "SELECT coalesce(sum(amount_minor - refunded_minor), 0) "
            "FROM payment WHERE status IN ('captured', 'refunded')",
        )  # fmt: skip
        for amounts in self.spent.values():
            captured += sum(amounts)
        for amounts in self.given_back.values():
            captured -= sum(amounts)
        paid = sum(self._due_minor(order_id) for order_id in self.status)
        if captured != paid:
            yield f"payments and cards keep {captured}, paid orders come to {paid}"
        sql = "SELECT coalesce(sum(balance_minor), 0) FROM gift_card"
        entries = "SELECT coalesce(sum(amount_minor), 0) FROM gift_card_entry"
        on_cards = number(self.folder, "giftcard", sql)
        if on_cards != (told := number(self.folder, "giftcard", entries)):
            yield f"{on_cards} are on the cards, their entries come to {told}"

    def _due_minor(self, order_id: str) -> int:
        """What of its price the shop keeps."""
        if self.status.get(order_id) not in SOLD - {"cancelled"}:
            return 0
        return self.totals[order_id] - self.goods.due_back_minor(order_id)

    def _mails(self) -> Counter[str]:
        sql = "SELECT order_id FROM mail WHERE template = 'order-confirmation' AND status = 'sent'"
        return Counter(order_id for (order_id,) in rows(self.folder, "email", sql))

    def _lost_mails(self) -> Iterator[str]:
        sent = self._mails()
        for order_id, status in self.status.items():
            if status in SOLD and not sent[order_id]:
                yield f"{order_id} is {status} and was not confirmed"

    def _mails_twice(self) -> Iterator[str]:
        for order_id, times in self._mails().items():
            if times > 1 or self.status.get(order_id) not in SOLD:
                yield f"{order_id} ({self.status.get(order_id)}) was confirmed {times} times"

    def _wrong_stock(self) -> Iterator[str]:
        wanted = Counter[str]()
        for attempt in self._attempts(is_paid=True):
            if self.status.get(attempt.order_id) == "paid":
                for line in attempt.lines:
                    wanted[str(line["sku"])] += int(str(line["quantity"]))
        sql = "SELECT sku, sum(reserved) FROM level GROUP BY sku"
        for sku, reserved in rows(self.folder, "inventory", sql):
            if reserved != wanted[sku]:
                yield f"{reserved} of {sku} are reserved, paid orders need {wanted[sku]}"


def _cards(folder: Path) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Every amount that an order took from gift cards, and got back."""
    spent, back = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    sql = "SELECT order_id, amount_minor FROM gift_card_entry WHERE order_id <> ''"
    for order_id, amount_minor in rows(folder, "giftcard", sql):
        (spent if amount_minor < 0 else back)[order_id].append(abs(amount_minor))
    return spent, back


def _provider(folder: Path) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Every amount that the provider took, and gave back, by order."""
    charged, refunded = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for line in (folder / "provider.log").read_bytes().splitlines():
        entry = json.loads(line)
        order_id = entry["key"].partition("#")[0].split("-")[1]
        book = charged if entry["kind"] == "charge" else refunded
        book[order_id].append(int(entry["amount"]["amount_minor"]))
    return charged, refunded
