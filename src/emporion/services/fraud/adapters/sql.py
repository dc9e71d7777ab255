"""ScreeningStore and RuleBook in SQL that SQLite and PostgreSQL share."""

from collections.abc import Mapping, Sequence

import msgspec

from emporion.chassis.data.database import Row, Tx
from emporion.services.fraud.domain.facts import Facts, Trail
from emporion.services.fraud.domain.judging import Fired
from emporion.services.fraud.domain.review import Status
from emporion.services.fraud.domain.rules import DEFAULT, RuleSet
from emporion.services.fraud.ports import (
    PageOfReviews,
    PageOfScreenings,
    Replayed,
    StoredReview,
    StoredRules,
    StoredScreening,
)

_SCREENED = "SELECT order_id FROM screening WHERE order_id IN (SELECT value FROM json_each(?))"
_TRAILS = "SELECT subject, trail FROM fraud_trail WHERE subject IN (SELECT value FROM json_each(?))"
_SAVE_TRAIL = (
    "INSERT INTO fraud_trail (subject, trail) VALUES (?, ?)"
    " ON CONFLICT (subject) DO UPDATE SET trail = excluded.trail"
)
_SCREENING = (
    "SELECT order_id, user_id, amount_minor, currency, is_held, score, threshold, rules_version,"
    " fired, facts, screened_at_ms FROM screening"
)
_ADD = (
    "INSERT INTO screening (order_id, user_id, amount_minor, currency, is_held, score, threshold,"
    " rules_version, fired, facts, screened_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_FIND = f"{_SCREENING} WHERE order_id = ?"
_NEWEST_FIRST = " ORDER BY order_id DESC LIMIT ?"
_PAGE = f"{_SCREENING} WHERE order_id < ?{_NEWEST_FIRST}"
_PAGE_OF_USER = f"{_SCREENING} WHERE user_id = ? AND order_id < ?{_NEWEST_FIRST}"
_PAGE_HELD = f"{_SCREENING} WHERE is_held = 1 AND order_id < ?{_NEWEST_FIRST}"
_PAGE_CLEAR = f"{_SCREENING} WHERE is_held = 0 AND order_id < ?{_NEWEST_FIRST}"
_PAGE_OF_USER_BY_VERDICT = (
    f"{_SCREENING} WHERE user_id = ? AND is_held = ? AND order_id < ?{_NEWEST_FIRST}"
)
_REVIEW = (
    "SELECT order_id, user_id, amount_minor, currency, score, status, opened_at_ms,"
    " decided_at_ms, decided_by, reason FROM review"
)
_OPEN = (
    "INSERT INTO review (order_id, user_id, amount_minor, currency, score, status, opened_at_ms,"
    " decided_by, reason) VALUES (?, ?, ?, ?, ?, 'open', ?, '', '')"
)
_FIND_REVIEW = f"{_REVIEW} WHERE order_id = ?"
_REVIEW_TO_DECIDE = f"{_FIND_REVIEW} /* for update */"
_QUEUE = (
    f"{_REVIEW} WHERE status = ? AND (opened_at_ms, order_id) > (?, ?)"
    " ORDER BY opened_at_ms, order_id LIMIT ?"
)
_QUEUE_OF_USER = (
    f"{_REVIEW} WHERE user_id = ? AND status = ? AND (opened_at_ms, order_id) > (?, ?)"
    " ORDER BY opened_at_ms, order_id LIMIT ?"
)
_DECIDE = (
    "UPDATE review SET status = ?, opened_at_ms = ?, decided_at_ms = ?, decided_by = ?,"
    " reason = ? WHERE order_id = ?"
)
_WITHDRAW = (
    "UPDATE review SET status = 'withdrawn', decided_at_ms = ?"
    " WHERE status = 'open' AND order_id IN (SELECT value FROM json_each(?))"
)
_REPLAYED = (
    "SELECT s.order_id, s.facts, s.is_held, r.status FROM screening AS s"
    " LEFT JOIN review AS r ON r.order_id = s.order_id"
    " WHERE s.order_id > ? ORDER BY s.order_id LIMIT ?"
)
_RULES = "SELECT version, rule_set, stored_at_ms, stored_by, note FROM fraud_rules"
_CURRENT_RULES = f"{_RULES} ORDER BY version DESC LIMIT 1"
_RULES_OF_VERSION = f"{_RULES} WHERE version = ?"
_ADD_RULES = (
    "INSERT INTO fraud_rules (version, rule_set, stored_at_ms, stored_by, note)"
    " VALUES (?, ?, ?, ?, ?)"
)

_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_trail = msgspec.msgpack.Decoder(Trail).decode
_fired = msgspec.json.Decoder(tuple[Fired, ...]).decode
_facts = msgspec.msgpack.Decoder(Facts).decode
_rule_set = msgspec.json.Decoder(RuleSet).decode
_UNKNOWN = Trail()
_SHIPPED = StoredRules(0, DEFAULT)
_NOTHING_FIRED = _encode(())


class SqlScreenings:
    """The port, in the transaction it is given."""

    async def screened(self, tx: Tx, order_ids: Sequence[str]) -> set[str]:
        await tx.lock("fraud trails")
        return {order_id for (order_id,) in await tx.fetch(_SCREENED, _list(order_ids))}

    async def trails(self, tx: Tx, subjects: Sequence[str]) -> dict[str, Trail]:
        found = dict.fromkeys(subjects, _UNKNOWN)
        for subject, trail in await tx.fetch(_TRAILS, _list(subjects)):
            found[subject] = _trail(trail)
        return found

    async def save_trails(self, tx: Tx, trails: Mapping[str, Trail]) -> None:
        rows = [(subject, _pack(trail)) for subject, trail in trails.items()]
        await tx.execute_many(_SAVE_TRAIL, rows)

    async def add(self, tx: Tx, screenings: Sequence[StoredScreening]) -> None:
        await tx.execute_many(_ADD, [_screening_row(each) for each in screenings])
        held = [each for each in screenings if each.is_held]
        if held:
            await tx.execute_many(_OPEN, [_opening_row(each) for each in held])

    async def withdraw(self, tx: Tx, order_ids: Sequence[str], *, at_ms: int) -> None:
        await tx.execute(_WITHDRAW, at_ms, _list(order_ids))

    async def screening(self, tx: Tx, order_id: str) -> StoredScreening | None:
        row = await tx.fetch_one(_FIND, order_id)
        return _stored(row) if row else None

    async def screenings(self, tx: Tx, wanted: PageOfScreenings) -> list[StoredScreening]:
        before, limit = wanted.before, wanted.limit
        if wanted.user_id is None:
            by_verdict = {None: _PAGE, True: _PAGE_HELD, False: _PAGE_CLEAR}
            rows = await tx.fetch(by_verdict[wanted.is_held], before, limit)
        elif wanted.is_held is None:
            rows = await tx.fetch(_PAGE_OF_USER, wanted.user_id, before, limit)
        else:
            is_held = int(wanted.is_held)
            rows = await tx.fetch(_PAGE_OF_USER_BY_VERDICT, wanted.user_id, is_held, before, limit)
        return [_stored(row) for row in rows]

    async def review(self, tx: Tx, order_id: str) -> StoredReview | None:
        row = await tx.fetch_one(_FIND_REVIEW, order_id)
        return _stored_review(row) if row else None

    async def review_to_decide(self, tx: Tx, order_id: str) -> StoredReview | None:
        row = await tx.fetch_one(_REVIEW_TO_DECIDE, order_id)
        return _stored_review(row) if row else None

    async def reviews(self, tx: Tx, wanted: PageOfReviews) -> list[StoredReview]:
        page = (wanted.status.value, *wanted.after, wanted.limit)
        if wanted.user_id is None:
            rows = await tx.fetch(_QUEUE, *page)
        else:
            rows = await tx.fetch(_QUEUE_OF_USER, wanted.user_id, *page)
        return [_stored_review(row) for row in rows]

    async def save_review(self, tx: Tx, review: StoredReview) -> None:
        await tx.execute(
            _DECIDE,
            review.status.value,
            review.opened_at_ms,
            review.decided_at_ms,
            review.decided_by,
            review.reason,
            review.order_id,
        )

    async def replayed(self, tx: Tx, *, after: str, limit: int) -> list[Replayed]:
        return [
            Replayed(order_id, _facts(facts), bool(is_held), status and Status(status))
            for order_id, facts, is_held, status in await tx.fetch(_REPLAYED, after, limit)
        ]


class SqlRuleBook:
    """The port, in the transaction it is given."""

    async def current(self, tx: Tx) -> StoredRules:
        row = await tx.fetch_one(_CURRENT_RULES)
        return _stored_rules(row) if row else _SHIPPED

    async def version(self, tx: Tx, version: int) -> StoredRules | None:
        if version == _SHIPPED.version:
            return _SHIPPED
        row = await tx.fetch_one(_RULES_OF_VERSION, version)
        return _stored_rules(row) if row else None

    async def add(self, tx: Tx, rules: StoredRules) -> None:
        await tx.execute(
            _ADD_RULES,
            rules.version,
            _encode(rules.rule_set),
            rules.stored_at_ms,
            rules.stored_by,
            rules.note,
        )


def _list(texts: Sequence[str]) -> str:
    return _encode(texts).decode()


def _screening_row(each: StoredScreening) -> Row:
    return (
        each.order_id,
        each.user_id,
        each.amount_minor,
        each.currency,
        int(each.is_held),
        each.score,
        each.threshold,
        each.rules_version,
        _encode(each.fired) if each.fired else _NOTHING_FIRED,
        _pack(each.facts),
        each.screened_at_ms,
    )


def _opening_row(each: StoredScreening) -> Row:
    return (
        each.order_id,
        each.user_id,
        each.amount_minor,
        each.currency,
        each.score,
        each.screened_at_ms,
    )


def _stored(row: Row) -> StoredScreening:
    order_id, user_id, amount_minor, currency, is_held, score, threshold, *rest = row
    rules_version, fired, facts, screened_at_ms = rest
    return StoredScreening(
        order_id,
        user_id,
        amount_minor,
        currency,
        bool(is_held),
        score,
        threshold,
        rules_version,
        _fired(fired),
        _facts(facts),
        screened_at_ms,
    )


def _stored_review(row: Row) -> StoredReview:
    order_id, user_id, amount_minor, currency, score, status, *rest = row
    return StoredReview(order_id, user_id, amount_minor, currency, score, Status(status), *rest)


def _stored_rules(row: Row) -> StoredRules:
    version, rule_set, stored_at_ms, stored_by, note = row
    return StoredRules(version, _rule_set(rule_set), stored_at_ms, stored_by, note)
