"""What can be set, read once from a file and EMPORION_* variables; an unknown key is an error."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from emporion.chassis.telemetry.sampling import TRACES_PER_S
from emporion.kernel.errors import InvalidArgument

PREFIX = "EMPORION_"
SECRET = frozenset(
    {
        "operator_password",
        "smtp_password",
        "payment_key",
        "payment_webhook_secret",
        "payment_method_key",
        "otlp_header",
        "gift_card_key",
        "privacy_key",
        "privacy_key_other",
    }
)
REHEARSAL_KEY = "emporion-demo-key"
CLIENT_ONLY = frozenset(
    {"EMPORION_URL", "EMPORION_TASK", "EMPORION_PREPARE", "EMPORION_AUDIT", "EMPORION_PAGES"}
)
"""Variables that commands of the client side, and tasks of ECS, read themselves."""


class Environment(StrEnum):
    """Whether the shop is a rehearsal or real."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SmtpSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class Provider(StrEnum):
    """Who moves the money."""

    REHEARSAL = "rehearsal"
    STRIPE = "stripe"


class TraceForm(StrEnum):
    """How trace ids are written."""

    W3C = "w3c"
    XRAY = "xray"


class UnknownSetting(InvalidArgument):
    """A setting of that name does not exist, or its value cannot be read."""

    slug = "unknown-setting"
    title = "A setting is wrong"


@dataclass(frozen=True, slots=True)
class Settings:
    """The effective settings of one process.

    Args:
        host, port: where to listen; port 0 takes a free one.
        data: the folder of the databases; made when missing, for its owner only.
        environment: development seeds a demo catalogue and an operator, keeps mails instead of
            sending them.
        is_network_closed: whether nobody but the shop is on the network on which the processes of
            a split shop listen, where that is not loopback: development is in order there, too.
        operator_email, operator_password: the operator that a development start creates.
        ses_region: the region of Amazon SES that sends mails instead; empty: SMTP, or none.
        smtp_host, smtp_port, smtp_user, smtp_password, mail_from: where mails are sent; an
            empty host keeps them.
        smtp_security: none, starttls or tls.
        payment_provider: rehearsal (the built-in test provider, no real money) or stripe.
        payment_key, payment_key_file: the key of its API, or the file that holds it.
        payment_webhook_secret, payment_webhook_secret_file: what its webhooks are signed with, or
            the file that holds that; without either, none are taken.
        payment_url: another address of its API, for tests.
        payment_method_key: what payment tokens are hashed with before anybody but the payment
            provider hears of them; the same in all instances, for ever. Empty: no rule can tell
            that two orders were paid by one card; a rehearsal has a key that everybody knows.
        gift_card_key, gift_card_key_file: what codes of gift cards are hashed with, or the file
            that holds it; the same in all instances, for ever: with another key no card is found.
            Without either gift cards are off; a rehearsal has a key that everybody knows.
        privacy_key, privacy_key_file: what the keys of people are wrapped with, and addresses are
            found by; the same in all instances. Without either, one is generated and kept in the
            data folder.
        privacy_key_other, privacy_key_other_file: another one that is good for reading, while
            one takes the other's place; docs/guides/privacy.md says how.
        webhooks_reach_private: whether webhooks are sent into private networks, too. Whoever may
            subscribe can then make this process post to any server that it can reach.
        allow_faults: whether operators may switch faults on, to watch the shop survive them.
        drain_s: how long requests in flight may take when the process is asked to stop.
        group_commit_max: transactions a commit; 1 turns group commit off, for measuring.
        has_subscribers: whether events are delivered; off only for measuring.
        log_level: DEBUG, INFO, WARNING or ERROR.
        traces_per_s: how many of the traces that begin in a second are recorded; 0: none, but for
            what fails or is slow. A caller's own decision counts more.
        trace_ids: w3c, or xray: `X-Amzn-Trace-Id` is continued where there is no `traceparent`,
            and log lines carry the id as X-Ray writes it, too.
        telemetry_mb, telemetry_hours: how much a process keeps of its traces, log lines and
            metrics in its data folder; 0 MB: nothing.
        otlp_url: where a collector takes OTLP over HTTP, like http://127.0.0.1:4318; empty: none.
        otlp_header: what each request to it carries, `name: value`, such as a key.
        emf: whether metrics are written to standard output in CloudWatch's embedded format.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    data: str = "emporion-data"
    environment: Environment = Environment.DEVELOPMENT
    is_network_closed: bool = False
    operator_email: str = "operator@emporion.test"
    operator_password: str = "emporion-demo-operator"  # noqa: S105 - loopback development only
    ses_region: str = ""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_security: SmtpSecurity = SmtpSecurity.STARTTLS
    smtp_user: str = ""
    smtp_password: str = ""
    mail_from: str = "shop@emporion.test"
    payment_provider: Provider = Provider.REHEARSAL
    payment_key: str = ""
    payment_key_file: str = ""
    payment_webhook_secret: str = ""
    payment_webhook_secret_file: str = ""
    payment_url: str = ""
    payment_method_key: str = ""
    gift_card_key: str = ""
    gift_card_key_file: str = ""
    privacy_key: str = ""
    privacy_key_file: str = ""
    privacy_key_other: str = ""
    privacy_key_other_file: str = ""
    webhooks_reach_private: bool = False
    allow_faults: bool = False
    drain_s: int = 20
    group_commit_max: int = 256
    has_subscribers: bool = True
    log_level: str = "INFO"
    traces_per_s: int = TRACES_PER_S
    trace_ids: TraceForm = TraceForm.W3C
    telemetry_mb: int = 64
    telemetry_hours: int = 12
    otlp_url: str = ""
    otlp_header: str = ""
    emf: bool = False

    @property
    def is_rehearsal(self) -> bool:
        """Whether known passwords and the test provider are in order: development, on loopback."""
        return self.environment is Environment.DEVELOPMENT and self.is_loopback

    @property
    def method_key(self) -> str:
        """What payment methods are named with; empty: they are not."""
        return self.payment_method_key or (REHEARSAL_KEY if self.is_rehearsal else "")

    @property
    def is_loopback(self) -> bool:
        """Whether nobody outside this machine can connect."""
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.data)


def load(
    *, file: Path | None = None, environ: Mapping[str, str] = os.environ, **flags: Any
) -> Settings:
    """Defaults, then the file (TOML), then EMPORION_* variables, then flags that are not None.

    Raises UnknownSetting naming the key and where it stands.
    """
    settings = Settings()
    if file is not None:
        settings = _with(settings, _read(file), str(file))
    variables = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in CLIENT_ONLY
    }
    settings = _with(settings, variables, "the environment")
    return _with(settings, {k: v for k, v in flags.items() if v is not None}, "the command line")


def secret_of(settings: Settings, name: str) -> str:
    """A secret that is set as such, or by the file that holds it; empty when by neither.

    Raises UnknownSetting when it is set both ways, or the file cannot be read.
    """
    value, file = getattr(settings, name), getattr(settings, f"{name}_file")
    if not file:
        return str(value)
    if value:
        raise UnknownSetting(f"{name} and {name}_file are both set; keep one")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnknownSetting(f"{name}_file: {error}") from error


def effective(settings: Settings) -> dict[str, str]:
    """Every setting as text, secrets masked."""
    return {
        field.name: "********"
        if field.name in SECRET and getattr(settings, field.name)
        else str(getattr(settings, field.name))
        for field in fields(settings)
    }


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnknownSetting(f"{file}: {error}") from error


def _with(settings: Settings, values: Mapping[str, Any], where: str) -> Settings:
    kinds = {field.name: type(getattr(settings, field.name)) for field in fields(settings)}
    read: dict[str, Any] = {}
    for key, value in values.items():
        if key not in kinds:
            known = ", ".join(sorted(kinds))
            raise UnknownSetting(f"{where}: there is no setting {key!r}; there are {known}")
        try:
            read[key] = _converted(kinds[key], value)
        except ValueError as error:
            raise UnknownSetting(f"{where}: {key}: {error}") from error
    return replace(settings, **read)


def _converted(kind: type[Any], value: Any) -> Any:
    if kind is bool:
        text = str(value).lower()
        if text not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError(f"{value!r} is neither true nor false")
        return text in ("true", "1", "yes")
    return kind(value)
