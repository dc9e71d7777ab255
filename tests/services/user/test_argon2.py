"""Argon2id beside the event loop, bounded."""

import asyncio
import threading

import pytest

from emporion.kernel.errors import Internal, ResourceExhausted
from emporion.services.user.adapters.argon2 import Argon2Hasher, Argon2Settings

CHEAP = Argon2Settings(time_cost=1, memory_kib=8, threads=1, waiting_max=2)


async def test_a_hash_is_argon2id_with_the_parameters_asked_for() -> None:
    hasher = Argon2Hasher(Argon2Settings())

    assert (await hasher.hash("correct horse")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_only_the_right_password_matches() -> None:
    hasher = Argon2Hasher(CHEAP)
    password_hash = await hasher.hash("correct horse")

    assert (await hasher.verify("correct horse", password_hash)).is_match
    assert not (await hasher.verify("wrong horse", password_hash)).is_match
    assert password_hash != await hasher.hash("correct horse")


async def test_a_hash_with_weaker_parameters_is_outdated() -> None:
    password_hash = await Argon2Hasher(CHEAP).hash("correct horse")
    stronger = Argon2Hasher(Argon2Settings(time_cost=2, memory_kib=16))

    assert (await stronger.verify("correct horse", password_hash)).is_outdated
    assert not (await Argon2Hasher(CHEAP).verify("correct horse", password_hash)).is_outdated


async def test_a_damaged_hash_is_our_fault_and_not_quoted() -> None:
    with pytest.raises(Internal) as refusal:
        await Argon2Hasher(CHEAP).verify("correct horse", "$argon2id$nonsense")
    assert "nonsense" not in str(refusal.value)


async def test_beyond_the_queue_it_refuses_at_once_and_recovers() -> None:
    hasher = Argon2Hasher(CHEAP)
    may_go = threading.Event()
    held = [asyncio.ensure_future(hasher._run(may_go.wait)) for _ in range(3)]
    await asyncio.sleep(0)

    try:
        with pytest.raises(ResourceExhausted) as refusal:
            await asyncio.wait_for(hasher.hash("correct horse"), 5)
        assert refusal.value.fields["retry_after_s"] == 1
        for waiter in held[1:]:
            waiter.cancel()
    finally:
        may_go.set()
    await asyncio.gather(*held, return_exceptions=True)

    for _ in range(10):
        assert await hasher.hash("correct horse")


async def test_hashing_leaves_the_loop_free() -> None:
    hasher = Argon2Hasher(Argon2Settings(threads=1))
    hashing = asyncio.ensure_future(hasher.hash("correct horse"))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)

    assert turns > 10
