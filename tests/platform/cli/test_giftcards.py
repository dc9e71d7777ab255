"""`emporion giftcards` and `emporion why price` beside a running shop, and on its files."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.platform.cli import giftcards
from tests.platform.cli.test_operating import emporion, order
from tests.system.running import Running, start


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shop"


@pytest.fixture
async def shop(folder: Path) -> AsyncIterator[Running]:
    running = start(folder)
    try:
        await running.until_open()
        yield running
    finally:
        running.kill()


@pytest.mark.system
@pytest.mark.timeout(300)
async def test_staff_issue_show_change_and_block_a_card(folder, shop):
    made = emporion(folder, "giftcards", "issue", "50.00", "EUR", "--note", "prize")
    card_id, code = re.findall(r"gft_[0-9a-f]{32}|(?:\w{4}-){4}\w{4}", made)
    because = ("--reason", "goodwill")
    more = ("giftcards", "adjust", "--key", "k1", *because, card_id, "5.00", "EUR")
    assert "55.00 EUR on it" in emporion(folder, *more)
    assert "void, 0.00 EUR on it" in emporion(folder, "giftcards", "void", card_id, *because)
    assert card_id in emporion(folder, "giftcards", "list", "--status", "void")
    told = emporion(folder, "giftcards", "show", card_id)
    assert all(word in told for word in ("issued", "adjusted", "voided", "goodwill"))
    assert code not in told
    order_id = await order(shop.url)
    why = emporion(folder, "why", "price", order_id)
    assert "at the list price of 250 EUR" in why
    assert "all of it is the same today" in why
    assert "its list price is 250 EUR" in emporion(folder, "why", "price", "croissant")
    await shop.stop()
    assert emporion(folder, "why", "price", order_id) == why


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: giftcards.list_(status="lost"), "is no status of a gift card"),
        (lambda: giftcards.show_("x"), "is no gift card's id"),
        (lambda: giftcards.void("x"), "void needs a --reason"),
        (lambda: giftcards.adjust("x", "1", "EUR", key="k"), "adjust needs a --reason"),
        (lambda: giftcards.issue("ten", "EUR"), "is not an amount"),
        (lambda: giftcards.issue("10", "XXX"), "is not an ISO 4217 code"),
    ],
)
def test_what_cannot_be_asked_for_is_said_before_anything_is_asked(call, said, capsys):
    with pytest.raises(SystemExit) as ended:
        call()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
