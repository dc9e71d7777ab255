"""Writer on Jinja2: one file for each language and template, with a block for subject and text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jinja2
import msgspec
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from emporion.contracts.contract import Event
from emporion.contracts.order import OrderCancelled, OrderCreated, OrderRefunded, OrderRejected
from emporion.contracts.shipping import ShipmentDelivered, ShipmentShipped
from emporion.contracts.user import Contact
from emporion.kernel.errors import Internal
from emporion.kernel.money import Money
from emporion.services.email.domain import Template, language_of, moment_text, money_text
from emporion.services.email.ports import Text

TEMPLATES = Path(__file__).parent.parent / "templates"
TOLD: Mapping[Template, type[Event]] = {
    Template.CONFIRMATION: OrderCreated,
    Template.CANCELLATION: OrderCancelled,
    Template.REJECTION: OrderRejected,
    Template.SHIPPED: ShipmentShipped,
    Template.DELIVERED: ShipmentDelivered,
    Template.REFUNDED: OrderRefunded,
}
"""The event that each mail tells of: its parameters."""


class BrokenTemplate(Internal):
    """A template and its parameters do not fit: the mail waits until one of them is mended."""

    slug = "broken-template"
    title = "The mail cannot be written"


class JinjaWriter:
    """The port, in a sandbox.

    A name that does not exist is an error, not an empty string. Nothing is escaped: the mails
    are plain text.

    Args:
        templates: a folder with `<language>/<template>.txt`.
        shop: the shop's name, as it signs.
    """

    def __init__(self, *, shop: str, templates: Path = TEMPLATES) -> None:
        self._shop = shop
        self._environment = SandboxedEnvironment(
            loader=jinja2.FileSystemLoader(templates),
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["money"] = _money
        self._environment.filters["moment"] = _moment
        self._decoders = {template: msgspec.json.Decoder(event) for template, event in TOLD.items()}

    def write(self, template: Template, params: bytes, to: Contact) -> Text:
        language = language_of(to.locale)
        try:
            page = self._environment.get_template(f"{language}/{template}.txt")
            context = page.new_context(
                {
                    "order": self._decoders[template].decode(params),
                    "reader": to,
                    "shop": self._shop,
                    "language": language,
                }
            )
            subject, body = ("".join(page.blocks[block](context)) for block in ("subject", "text"))
        except (jinja2.TemplateError, msgspec.MsgspecError, KeyError, TypeError) as error:
            raise BrokenTemplate(f"{template}: {error}") from error
        return Text(" ".join(subject.split()), body.strip() + "\n")


@jinja2.pass_context
def _money(context: Context, amount: Money) -> str:
    return money_text(amount, context["language"])


@jinja2.pass_context
def _moment(context: Context, moment: Any) -> str:
    return moment_text(moment, context["language"], zone_of(context["reader"].time_zone))


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name; UTC when it is not known here."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a name of the wrong kind may be a path
        return ZoneInfo("UTC")
