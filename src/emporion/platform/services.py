"""The services of the shop and how each is built: the only table that names them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from emporion.chassis.http.outgoing import Address, Poster, is_public
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.sealing.secret import OTHER_SETTING, SETTING
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.platform.contracts import EVENTS
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.outside import TracedCourier, TracedMailer, TracedProvider, traced
from emporion.platform.privacy import privacy_keys
from emporion.platform.settings import REHEARSAL_KEY, Provider, Settings, UnknownSetting, secret_of
from emporion.services.analytics import service as analytics
from emporion.services.catalog import service as catalog
from emporion.services.email import service as email
from emporion.services.email.adapters.kept import KeptMailer
from emporion.services.email.adapters.smtp import Security, SmtpConfig, SmtpMailer
from emporion.services.email.ports import Mailer
from emporion.services.fraud import service as fraud
from emporion.services.giftcard import service as giftcard
from emporion.services.inventory import service as inventory
from emporion.services.order import service as order
from emporion.services.payment import service as payment
from emporion.services.payment.adapters.rehearsal import BOOK_FILE, RehearsalProvider
from emporion.services.payment.ports import PaymentProvider
from emporion.services.recommendation import service as recommendation
from emporion.services.shipping import service as shipping
from emporion.services.user import service as user
from emporion.services.vault import service as vault
from emporion.services.webhook import service as webhook
from emporion.services.webhook.adapters.http import HttpCourier
from emporion.services.webhook.ports import Courier


@dataclass(frozen=True, slots=True)
class Given:
    """What every service gets, and what some builders read besides.

    Args:
        is_sole_writer: no other process ever writes the service's database.
        shared: the folder of what all instances of a service on this machine have in common.
        telemetry: where what leaves the shop is recorded; None: nowhere.
    """

    needs: Needs
    settings: Settings
    is_sole_writer: bool
    shared: Path
    telemetry: Telemetry | None = None


def _user(given: Given) -> Assembly:
    return user.build(_with_privacy_key(given))


def _vault(given: Given) -> Assembly:
    return vault.build(_with_privacy_key(given))


def _with_privacy_key(given: Given) -> Needs:
    secrets = SecretsFile.open(given.shared)
    keys = privacy_keys(given.settings, secrets, is_sole=given.is_sole_writer)
    return replace(given.needs, settings={SETTING: keys.current, OTHER_SETTING: keys.other})


def _catalog(given: Given) -> Assembly:
    return catalog.build(given.needs)


def _inventory(given: Given) -> Assembly:
    return inventory.build(given.needs)


def _order(given: Given) -> Assembly:
    key = given.settings.method_key
    return order.build(replace(given.needs, settings={"payment_method_key": key}))


def _payment(given: Given) -> Assembly:
    needs = given.needs
    return payment.build(
        payment.PaymentNeeds(
            runtime=needs.runtime,
            database=needs.database,
            clients=needs.clients,
            sagas=needs.sagas,
            settings=needs.settings,
            provider=traced(_provider(given), TracedProvider, given.telemetry),
            is_sole_writer=given.is_sole_writer,
        )
    )


def _provider(given: Given) -> PaymentProvider:
    """Raises UnknownSetting when what it needs is not set, or not installed."""
    settings = given.settings
    webhook_secret = secret_of(settings, "payment_webhook_secret")
    if settings.payment_provider is Provider.STRIPE:
        return _stripe(settings, webhook_secret)
    # One provider, however many processes charge there: what one of them charged before it died,
    # another must find when it is asked for the same again.
    return RehearsalProvider(
        given.needs.runtime.tasks,
        path=given.shared / BOOK_FILE,
        is_shared=not given.is_sole_writer,
        webhook_secret=webhook_secret,
    )


def _stripe(settings: Settings, webhook_secret: str) -> PaymentProvider:
    try:
        from emporion.services.payment.adapters import stripe  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UnknownSetting(
            f"payment_provider: {error.name} is not installed; pip install 'emporion[stripe]'"
        ) from error
    key = secret_of(settings, "payment_key")
    if not key:
        raise UnknownSetting("payment_provider: stripe needs payment_key or payment_key_file")
    return stripe.StripeProvider(stripe.StripeConfig(key, webhook_secret, settings.payment_url))


def _email(given: Given) -> Assembly:
    needs = given.needs
    return email.build(
        email.EmailNeeds(
            runtime=needs.runtime,
            database=needs.database,
            clients=needs.clients,
            sagas=needs.sagas,
            settings=needs.settings,
            mailer=traced(_mailer(given.settings), TracedMailer, given.telemetry),
        )
    )


def _fraud(given: Given) -> Assembly:
    return fraud.build(given.needs)


def _recommendation(given: Given) -> Assembly:
    return recommendation.build(given.needs)


def _analytics(given: Given) -> Assembly:
    return analytics.build(given.needs)


def _shipping(given: Given) -> Assembly:
    return shipping.build(given.needs)


def _giftcard(given: Given) -> Assembly:
    """Raises UnknownSetting when the file of the key cannot be read."""
    settings = given.settings
    key = secret_of(settings, "gift_card_key") or (REHEARSAL_KEY if settings.is_rehearsal else "")
    return giftcard.build(replace(given.needs, settings={"gift_card_key": key}))


def _webhook(given: Given) -> Assembly:
    needs, settings = given.needs, given.settings
    courier: Courier = HttpCourier(Poster(reachable(settings)), needs.runtime.clock)
    return webhook.build(
        webhook.WebhookNeeds(
            runtime=needs.runtime,
            database=needs.database,
            clients=needs.clients,
            sagas=needs.sagas,
            settings=needs.settings,
            courier=traced(courier, TracedCourier, given.telemetry),
            events=EVENTS,
            is_http_allowed=settings.is_rehearsal,
        )
    )


def reachable(settings: Settings) -> Callable[[Address], bool]:
    """Which addresses webhooks are sent to: public ones; in a rehearsal, this machine too."""
    if settings.webhooks_reach_private:
        return lambda address: not address.is_multicast
    if settings.is_rehearsal:
        return lambda address: is_public(address) or address.is_loopback
    return is_public


def _mailer(settings: Settings) -> Mailer:
    if settings.ses_region:
        # The library of AWS takes 20 MB and a second to start: only who uses it pays.
        from emporion.services.email.adapters import ses  # noqa: PLC0415 - see above

        return ses.SesMailer(ses.SesConfig(settings.ses_region, settings.mail_from))
    if not settings.smtp_host:
        return KeptMailer()
    return SmtpMailer(
        SmtpConfig(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=Security(settings.smtp_security),
            username=settings.smtp_user,
            password=settings.smtp_password,
            sender=settings.mail_from,
        )
    )


SERVICES: Mapping[str, Callable[[Given], Assembly]] = {
    "vault": _vault,
    "user": _user,
    "catalog": _catalog,
    "inventory": _inventory,
    "payment": _payment,
    "order": _order,
    "email": _email,
    "fraud": _fraud,
    "webhook": _webhook,
    "recommendation": _recommendation,
    "analytics": _analytics,
    "shipping": _shipping,
    "giftcard": _giftcard,
}
"""By name; the name is the folder, the database file and the gRPC package."""
