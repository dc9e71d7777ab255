"""Card numbers are refused at the source: before they are kept, logged or sent anywhere."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.contracts.order import PlaceOrder
from emporion.contracts.order_carts import Checkout
from emporion.contracts.payment_tokens import CardNumberRefused, require_token
from tests.services.payment.desk import Desk, request

CARDS = [
    "4242424242424242",
    "4242-4242-4242-4242",
    "4242.4242.4242.4242",
    "378282246310005",
    "6011000990139424",
    "tok_5555555555554444",
    "5555_5555_5555_4444.x",
    "6304000000000000000",
]
TOKENS = [
    "tok_ok",
    "pm_1Nv0FGQ9RKHgCVdK9uMPW3DL",
    "4242424242424243",
    "123456789012",
    "pm_card_visa",
    "seti_0000",
]


@pytest.mark.parametrize("card", CARDS)
def test_a_card_number_is_refused_and_not_repeated(card: str):
    with pytest.raises(CardNumberRefused) as refusal:
        require_token(card)

    assert card not in str(refusal.value)


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_of_a_provider_is_not_taken_for_a_card(token: str):
    require_token(token)


@given(st.integers(10**11, 10**18 - 1))
def test_every_number_with_its_check_digit_is_taken_for_a_card(number: int):
    taken = []
    for digit in range(10):
        try:
            require_token(f"{number}{digit}")
        except CardNumberRefused:
            taken.append(digit)

    assert len(taken) == 1


@pytest.mark.parametrize("kind", [PlaceOrder, Checkout])
def test_no_order_is_read_that_holds_one(kind: type[msgspec.Struct]):
    content = {"idempotency_key": "k", "payment_token": CARDS[0]}
    if kind is PlaceOrder:
        content |= {"lines": [{"sku": "a", "quantity": 1}]}  # type: ignore[dict-item]

    with pytest.raises(msgspec.ValidationError) as refusal:
        msgspec.json.decode(msgspec.json.encode(content), type=kind)

    assert CARDS[0] not in str(refusal.value)


async def test_a_charge_with_one_reaches_neither_the_provider_nor_the_books(desk: Desk):
    with pytest.raises(CardNumberRefused):
        await desk.service.charge(request(CARDS[0]))

    assert desk.provider.calls == []
    assert await desk.rows("SELECT 1 FROM payment") == []
