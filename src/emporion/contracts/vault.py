"""Vault: a key for each person; what is sealed with it goes when the key is destroyed."""

from datetime import datetime
from typing import Annotated, ClassVar, Protocol

from msgspec import Meta

from emporion.contracts.contract import (
    Message,
    Reply,
    Request,
    Service,
    command,
    internal,
    query,
)
from emporion.contracts.words import UserId
from emporion.kernel.errors import FailedPrecondition

PERSONS_MAX = 500


class PersonErased(FailedPrecondition):
    """The key of that person was destroyed: nothing can be sealed for them any more."""

    slug = "person-erased"
    title = "This person was erased"


class KeysOf(Request, frozen=True, kw_only=True):
    """Whose keys."""

    person_ids: Annotated[list[UserId], Meta(max_length=PERSONS_MAX)]


class PersonKey(Message, frozen=True, kw_only=True):
    """A person's key, 64 bytes; empty: it was destroyed."""

    person_id: UserId
    key: bytes

    def __repr__(self) -> str:
        """Whose key, never the key."""
        return f"PersonKey(person_id={self.person_id!r})"


class PersonKeys(Reply, frozen=True, kw_only=True):
    """The keys of those who have, or had, one; the others are left out."""

    keys: list[PersonKey]


class PersonOf(Request, frozen=True, kw_only=True):
    """Whose key."""

    person_id: UserId


class KeyMade(Reply, frozen=True, kw_only=True):
    """The key of a person, made now or before."""

    key: PersonKey


class KeyDestroyed(Reply, frozen=True, kw_only=True):
    """When the key of a person was destroyed."""

    person_id: UserId
    destroyed_at: datetime


class VaultService(Service, Protocol):
    """The keys of people, and nothing else: their data lies elsewhere, sealed."""

    NAME: ClassVar[str] = "vault"
    SUMMARY: ClassVar[str] = "A key for each person, and its destruction."

    @query(access=internal())
    async def keys_of(self, request: KeysOf) -> PersonKeys:
        """The keys of people; whoever never had one is left out."""

    @command(access=internal(), key="person_id", raises=(PersonErased,))
    async def make_key(self, request: PersonOf) -> KeyMade:
        """The key of a person, made if there is none. Safe to repeat. Raises PersonErased."""

    @command(access=internal(), key="person_id")
    async def destroy_key(self, request: PersonOf) -> KeyDestroyed:
        """Destroy the key of a person, for ever. Safe to repeat, also before there is one."""
