"""Which contracts the shop publishes, and their committed descriptions under `contracts/`."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from emporion.chassis.surfaces import published
from emporion.chassis.surfaces.openapi import openapi
from emporion.chassis.surfaces.schemas import events_of
from emporion.contracts.analytics import AnalyticsService
from emporion.contracts.catalog import CatalogService
from emporion.contracts.contract import Event, Service
from emporion.contracts.email import EmailService
from emporion.contracts.fraud import FraudService
from emporion.contracts.giftcard import GiftCardService
from emporion.contracts.inventory import InventoryService
from emporion.contracts.operations import OperationsService
from emporion.contracts.order import OrderService
from emporion.contracts.payment import PaymentService
from emporion.contracts.recommendation import RecommendationService
from emporion.contracts.shipping import ShippingService
from emporion.contracts.user import UserService
from emporion.contracts.vault import VaultService
from emporion.contracts.webhook import WebhookService

CONTRACTS: Final[Sequence[type[Service]]] = (
    UserService,
    VaultService,
    CatalogService,
    InventoryService,
    OrderService,
    PaymentService,
    EmailService,
    FraudService,
    RecommendationService,
    AnalyticsService,
    ShippingService,
    WebhookService,
    GiftCardService,
    OperationsService,
)
EVENTS: Final[Sequence[type[Event]]] = tuple(
    event for contract in CONTRACTS for event in events_of(contract)
)
"""Every event that the shop announces."""
TITLE: Final = "Emporion"
DIRECTORY: Final = Path("contracts")


def generate(directory: Path = DIRECTORY) -> list[Path]:
    """Write what has changed below `directory`; which files. Raises BreakingChange."""
    return published.generate(CONTRACTS, directory, title=TITLE, version=version("emporion"))


def check(directory: Path = DIRECTORY) -> list[str]:
    """What is stale, missing or breaking below `directory`, a sentence each."""
    return published.check(CONTRACTS, directory, title=TITLE, version=version("emporion"))


def rest_description(contracts: Sequence[type[Service]] = CONTRACTS) -> dict[str, Any]:
    """The OpenAPI document of the services that a process answers for."""
    return openapi(contracts, title=TITLE, version=version("emporion"))
