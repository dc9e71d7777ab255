"""The keys of people as a service uses them: asked of the vault, remembered for a moment."""

from collections.abc import Iterable, Mapping
from typing import Final

from emporion.chassis.sealing.cipher import ERASED, Cipher, is_sealed
from emporion.contracts.vault import (
    PERSONS_MAX,
    KeysOf,
    PersonErased,
    PersonKey,
    PersonOf,
    VaultService,
)
from emporion.kernel.clock import Clock
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import UserId

REMEMBERED_S: Final = 60.0
"""A key that was destroyed is of no use anywhere after this."""
REMEMBERED_MAX: Final = 10_000

_Known = Mapping[UserId, Cipher | None]


class KeyMissing(Unavailable):
    """Something is sealed for a person whose key the vault has never had: it was lost."""

    slug = "person-key-missing"
    title = "The key of a person is missing from the vault"


class KeyRing:
    """The keys of a few people, at hand: sealing and opening wait for nothing.

    A text from before texts were sealed is opened as it is. For somebody who was erased, a sealed
    text says ERASED, and so does a text that is to be sealed.
    """

    def __init__(self, known: _Known) -> None:
        self._known = known

    def with_keys(self, others: _Known) -> "KeyRing":
        """These and others."""
        return KeyRing({**self._known, **others})

    def is_erased(self, person_id: UserId) -> bool:
        """Whether the person's key was destroyed."""
        return self.has(person_id) and self._known[person_id] is None

    def has(self, person_id: UserId) -> bool:
        """Whether it is known what became of the person's key."""
        return person_id in self._known

    def seal(self, person_id: UserId, field: str, text: str) -> str:
        """The text, sealed. Raises KeyMissing for somebody whose key was not asked for."""
        cipher = self._cipher(person_id)
        return cipher.seal(field, text) if cipher else ERASED

    def open(self, person_id: UserId, field: str, text: str) -> str:
        """What a stored text says. Raises KeyMissing, or SealBroken."""
        if not is_sealed(text):
            return text
        cipher = self._cipher(person_id)
        return cipher.open(field, text) if cipher else ERASED

    def _cipher(self, person_id: UserId) -> Cipher | None:
        try:
            return self._known[person_id]
        except KeyError:
            raise KeyMissing(f"the vault has no key of {person_id}") from None


class People:
    """Hands out key rings.

    Every method also raises what calls of the vault raise. A key is remembered for REMEMBERED_S at
    most, and of REMEMBERED_MAX people at most: the oldest are forgotten first.
    """

    def __init__(self, vault: VaultService, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._remembered: dict[UserId, tuple[float, Cipher | None]] = {}

    async def ring(self, person_ids: Iterable[UserId]) -> KeyRing:
        """For opening what is stored; people without a key are left out."""
        now_s = self._clock.monotonic_s()
        known: dict[UserId, Cipher | None] = {}
        unknown: list[UserId] = []
        for person_id in dict.fromkeys(person_ids):
            until_s, cipher = self._remembered.get(person_id, (now_s, None))
            if until_s > now_s:
                known[person_id] = cipher
            else:
                unknown.append(person_id)
        for start in range(0, len(unknown), PERSONS_MAX):
            asked = KeysOf(person_ids=unknown[start : start + PERSONS_MAX])
            for found in (await self._vault.keys_of(asked)).keys:
                known[found.person_id] = self._remember(found)
        return KeyRing(known)

    async def ring_to_seal(self, person_ids: Iterable[UserId]) -> KeyRing:
        """For sealing something for people: with a new key for those who have none."""
        wanted = list(dict.fromkeys(person_ids))
        ring = await self.ring(wanted)
        made = [await self._made(each) for each in wanted if not ring.has(each)]
        return ring.with_keys(dict(made)) if made else ring

    async def newcomer(self, person_id: UserId) -> KeyRing:
        """For sealing something for a person who cannot have a key yet."""
        return KeyRing(dict([await self._made(person_id)]))

    async def _made(self, person_id: UserId) -> tuple[UserId, Cipher | None]:
        try:
            made = (await self._vault.make_key(PersonOf(person_id=person_id))).key
        except PersonErased:
            made = PersonKey(person_id=person_id, key=b"")
        return person_id, self._remember(made)

    def forget(self, person_id: UserId) -> None:
        """Ask for the key again the next time."""
        self._remembered.pop(person_id, None)

    def _remember(self, found: PersonKey) -> Cipher | None:
        cipher = Cipher(found.person_id, found.key) if found.key else None
        self._remembered.pop(found.person_id, None)
        while len(self._remembered) >= REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]
        until_s = self._clock.monotonic_s() + REMEMBERED_S
        self._remembered[found.person_id] = (until_s, cipher)
        return cipher
