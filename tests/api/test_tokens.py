"""Tokens that the shop did not issue open nothing, and are all answered alike."""

import pytest

from emporion.chassis.auth.verifier import SKEW_MS
from tests.api.forge import FORGERIES, SCHEMES
from tests.api.shopfront import NOBODY, slug_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
ORDER = {"lines": [{"sku": "croissant", "quantity": 1}], "payment_token": "tok_ok"}


async def ask(front, authorization: str, verb: str = "GET", target: str = "/api/orders"):
    return await front.send(NOBODY, verb, target, headers={"authorization": authorization})


async def refusal_of(front, authorization: str) -> tuple[int, str]:
    """What a read and a write with it are answered; nothing may be written."""
    before = await front.still_books()
    read = await ask(front, authorization)
    headers = {"authorization": authorization, "idempotency_key": "forged"}
    write = await front.json(NOBODY, "POST", "/api/orders", ORDER, **headers)
    assert front.books() == before
    assert slug_of(read) == slug_of(write)
    assert read.headers["www-authenticate"].startswith("Bearer ")
    return write.status, slug_of(write)


@pytest.mark.parametrize("make", ["token", "labelled", "tampered"])
async def test_what_the_forge_makes_properly_is_taken(front, forge, make):
    answer = await ask(front, f"Bearer {getattr(forge, make)()}")

    assert answer.status == 200


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_token_is_not_taken_and_nobody_is_told_why(front, forge, how):
    token = FORGERIES[how](forge)

    assert await refusal_of(front, f"Bearer {token}") == (401, "token-invalid")


@pytest.mark.parametrize("how", SCHEMES)
async def test_a_token_that_comes_in_another_way_is_not_taken(front, forge, how):
    assert await refusal_of(front, SCHEMES[how](forge)) == (401, "token-invalid")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_name_of_the_scheme_may_be_in_any_case(front, forge, scheme):
    assert (await ask(front, f"{scheme} {forge.token()}")).status == 200


async def test_an_expired_token_is_called_expired_so_that_it_is_renewed(front, forge):
    late_s = SKEW_MS // 1000 + 1
    token = forge.token(iat=forge.now_s - 900 - late_s, exp=forge.now_s - late_s)

    assert await refusal_of(front, f"Bearer {token}") == (401, "token-expired")


@pytest.mark.parametrize("where", ["access_token", "token", "authorization"])
async def test_a_token_in_the_address_is_not_looked_at(front, forge, where):
    answer = await front.send(NOBODY, "GET", f"/api/orders?{where}={forge.token()}")

    assert (answer.status, slug_of(answer)) == (401, "unauthenticated")
    assert forge.token().encode() not in answer.body


async def test_a_spent_refresh_token_ends_its_session(front):
    thief = await front.person("theft")
    first = await front.json(
        NOBODY, "POST", "/api/users/sessions/refresh", {"refresh_token": thief.refresh_token}
    )
    again = await front.json(
        NOBODY, "POST", "/api/users/sessions/refresh", {"refresh_token": thief.refresh_token}
    )
    successor = await front.json(
        NOBODY,
        "POST",
        "/api/users/sessions/refresh",
        {"refresh_token": first.json()["refresh_token"]},
    )

    assert first.status == 200
    assert slug_of(again) == slug_of(successor) == "invalid-refresh-token"
