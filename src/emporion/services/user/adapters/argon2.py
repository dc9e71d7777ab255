"""Passwords as argon2id hashes, computed by a few threads of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from emporion.kernel.errors import Internal, ResourceExhausted
from emporion.services.user.ports import Verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Argon2Settings:
    """What a hash costs (OWASP's second choice of argon2id parameters), and how many at once.

    One hash takes 20-30 ms of one core and `memory_kib` of memory while it runs.
    """

    time_cost: int = 2
    memory_kib: int = 19_456
    parallelism: int = 1
    threads: int = 2
    waiting_max: int = 64


class Argon2Hasher:
    """PasswordHasher on argon2-cffi. Threads start with the first hash, not before."""

    def __init__(self, settings: Argon2Settings) -> None:
        self._argon2 = argon2.PasswordHasher(
            time_cost=settings.time_cost,
            memory_cost=settings.memory_kib,
            parallelism=settings.parallelism,
        )
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="argon2")
        self._slots = BoundedSemaphore(settings.threads + settings.waiting_max)

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._argon2.hash(password))

    async def verify(self, password: str, password_hash: str) -> Verdict:
        return await self._run(lambda: self._compare(password, password_hash))

    async def waste(self, password: str) -> None:
        await self._run(lambda: self._argon2.hash(password))

    def _compare(self, password: str, password_hash: str) -> Verdict:
        try:
            self._argon2.verify(password_hash, password)
        except VerifyMismatchError:
            return Verdict(is_match=False, is_outdated=False)
        except (VerificationError, InvalidHashError):
            raise Internal("a stored password hash cannot be read") from None
        is_outdated = self._argon2.check_needs_rehash(password_hash)
        return Verdict(is_match=True, is_outdated=is_outdated)

    async def _run(self, work: Callable[[], T]) -> T:
        """Compute beside the loop; the slot is free again when the work ends, not its waiter."""
        if not self._slots.acquire(blocking=False):
            raise ResourceExhausted("too many passwords are being checked", retry_after_s=1)
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._slots.release())
        return await asyncio.wrap_future(future)
