"""Mailer on Amazon SES, by its API: the role of the task may send, and no password is kept.

A mail leaves at least once, as by SMTP: when this process dies between SES's answer and our commit,
it is sent again, with the same Message-ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from emporion.kernel.errors import EmporionError, Unavailable
from emporion.services.email.adapters.message import message_of
from emporion.services.email.ports import Fate, Letter, Verdict

FINAL: Final = frozenset({"BadRequestException", "MessageRejected"})
"""What SES says about this recipient or this text; everything else may pass."""
TIMEOUT_S: Final = 15
ERROR_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class SesConfig:
    """Where to hand mails over.

    Args:
        region: of SES.
        sender: the From address; its domain is an identity of SES.
        endpoint_url: of an emulator; empty: AWS.
    """

    region: str
    sender: str
    endpoint_url: str = ""


class SesMailer:
    """The port. One client a batch, its letters one after the other."""

    def __init__(self, config: SesConfig) -> None:
        self._config = config

    async def send(self, letters: Sequence[Letter]) -> list[Verdict]:
        config = self._config
        try:
            async with get_session().create_client(
                "sesv2",
                region_name=config.region,
                endpoint_url=config.endpoint_url or None,
                config=AioConfig(
                    connect_timeout=TIMEOUT_S,
                    read_timeout=TIMEOUT_S,
                    retries={"total_max_attempts": 1},  # the queue of mails tries again
                ),
            ) as client:
                return await self._hand_over_all(client, letters)
        except (BotoCoreError, OSError) as error:
            raise Unavailable(f"SES does not take mails: {_said(error)}") from error

    async def _hand_over_all(self, client: Any, letters: Sequence[Letter]) -> list[Verdict]:
        """Once SES does not answer, the rest is not tried. Raises EndpointConnectionError."""
        verdicts: list[Verdict] = []
        for letter in letters:
            try:
                verdicts.append(await self._hand_over(client, letter))
            except (BotoCoreError, OSError) as error:
                if not verdicts and isinstance(error, EndpointConnectionError):
                    raise
                verdicts.append(Verdict(Fate.DEFERRED, _said(error)))  # it may have been taken
                break
        return verdicts + [Verdict(Fate.UNTRIED)] * (len(letters) - len(verdicts))

    async def _hand_over(self, client: Any, letter: Letter) -> Verdict:
        try:
            message = message_of(letter, sender=self._config.sender)
        except EmporionError as error:  # the text cannot be written now: a template may be mended
            return Verdict(Fate.DEFERRED, error.detail[:ERROR_LENGTH_MAX])
        except ValueError as error:
            return Verdict(Fate.REFUSED, f"cannot be addressed: {error}"[:ERROR_LENGTH_MAX])
        try:
            await client.send_email(
                FromEmailAddress=self._config.sender,
                Destination={"ToAddresses": [letter.to.email]},
                Content={"Raw": {"Data": message.as_bytes()}},
            )
        except ClientError as error:
            is_final = error.response.get("Error", {}).get("Code") in FINAL
            return Verdict(Fate.REFUSED if is_final else Fate.DEFERRED, _said(error))
        return Verdict(Fate.TAKEN)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
