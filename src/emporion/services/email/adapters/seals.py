"""Seals whom a mail went to with the key of that person."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from emporion.chassis.sealing.cipher import ERASED
from emporion.chassis.sealing.people import People
from emporion.contracts.user import Contact
from emporion.kernel.addresses import without_addresses
from emporion.kernel.ids import UserId
from emporion.services.email.ports import ReadableMail

CONTACT: Final = "email.contact"
"""The field, as it is authenticated with what is sealed: for ever."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Contact).decode


def erased(user_id: UserId) -> Contact:
    """What is left of somebody who is not there any more."""
    return Contact(user_id=user_id, email=ERASED, name=ERASED, locale="en", time_zone="UTC")


class ContactSeals:
    """Seals (the port), with keys from the vault."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def sealed(self, contacts: Mapping[UserId, Contact]) -> dict[UserId, bytes]:
        ring = await self._people.ring_to_seal(contacts)
        return {
            user_id: ring.seal(user_id, CONTACT, _encode(contact).decode()).encode()
            for user_id, contact in contacts.items()
        }

    async def sealed_before(self, mails: Sequence[ReadableMail]) -> list[ReadableMail]:
        ring = await self._people.ring_to_seal(mail.user_id for mail in mails)
        return [
            replace(
                mail,
                contact=ring.seal(mail.user_id, CONTACT, mail.contact.decode()).encode(),
                last_error=without_addresses(mail.last_error),
            )
            for mail in mails
        ]

    async def opened(self, user_id: UserId, contact: bytes) -> Contact:
        ring = await self._people.ring([user_id])
        text = ring.open(user_id, CONTACT, contact.decode())
        return erased(user_id) if text == ERASED else _decode(text)
