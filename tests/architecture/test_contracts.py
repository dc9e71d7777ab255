"""Contracts say who may call, what is refused, and where; each check is tried on a wrong one."""

from typing import ClassVar, Protocol

import pytest

from emporion.contracts.contract import (
    Access,
    Audience,
    Event,
    EventSpec,
    Message,
    Reply,
    Request,
    Service,
    anyone,
    command,
    get,
    internal,
    query,
)
from emporion.kernel.errors import EmporionError, FailedPrecondition, NotFound
from tests.architecture import contracts


class Question(Request, frozen=True, kw_only=True):
    """A planted question."""

    about: str = ""


class Unspoken(Reply, frozen=True, kw_only=True):
    answer: str = ""


class Gone(FailedPrecondition):
    """A planted refusal that takes another one's slug."""

    slug = "failed-precondition"


class Slugless(NotFound):
    """A planted refusal that inherits its slug."""


class Rootless(EmporionError):
    """A planted refusal outside of every category."""

    slug = "rootless"


class Keyless(Event, frozen=True, kw_only=True):
    """A planted event whose key is no field; it also takes the name of another."""

    SPEC = EventSpec("orders.created", key="nobody")


class Twin(Event, frozen=True, kw_only=True):
    """A planted event with the same name."""

    SPEC = EventSpec("orders.created", key="about")
    about: str = ""


_NO_REASON = Access(Audience.PUBLIC, None, is_owner_checked=False, reason="")


class PlantedService(Service, Protocol):
    """A contract with everything wrong."""

    NAME: ClassVar[str] = "planted"

    @query(access=_NO_REASON, rest=get("/api/planted/{about}"), raises=(NotFound,))
    async def loose(self, request: Question) -> Unspoken:
        """Answers anybody, and says why to nobody."""

    @query(access=internal(), rest=get("/api/planted/{about}"))
    async def routed(self, request: Question) -> Unspoken:
        """Is internal, and on the public edge, at the same route as another."""

    @command(access=anyone("planted"), rest=get("/planted"))
    async def stray(self, request: Question) -> Unspoken:
        """Is routed where the edge routes nothing."""

    async def undeclared(self, request: Question) -> Unspoken:
        """Carries no rules at all."""


WRONG = [
    (contracts.undeclared_methods, ["PlantedService.undeclared"]),
    (contracts.loose_access, ["PlantedService.loose"]),
    (contracts.routed_though_internal, ["PlantedService.routed"]),
    (contracts.shared_routes, ["GET /api/planted/{}"]),
    (contracts.stray_routes, ["PlantedService.stray"]),
    (contracts.unnamed_refusals, ["PlantedService.loose does not say when NotFound"]),
]
NAMES = [check.__name__ for check, _ in WRONG]


@pytest.mark.parametrize("check", [check for check, _ in WRONG], ids=NAMES)
def test_every_published_contract_is_right(check):
    assert list(check(contracts.published())) == []


@pytest.mark.parametrize(("check", "caught"), WRONG, ids=NAMES)
def test_a_wrong_contract_is_caught(check, caught):
    assert list(check([PlantedService])) == caught


def test_every_contract_is_found():
    names = [contract.NAME for contract in contracts.published()]

    assert names == sorted(names)
    assert {"catalog", "email", "inventory", "order", "payment", "user"} <= set(names)


def test_every_error_has_a_slug_of_its_own():
    assert list(contracts.shared_slugs(contracts.errors())) == []
    assert list(contracts.shared_slugs([FailedPrecondition, Gone])) == ["failed-precondition"]
    assert list(contracts.shared_slugs([Slugless])) == ["Slugless has none"]


def test_every_error_descends_from_a_category():
    assert list(contracts.outside_the_tree(contracts.errors())) == []
    assert list(contracts.outside_the_tree([Gone, Rootless])) == ["Rootless"]


def test_every_event_has_a_name_of_its_own_and_a_key_that_is_a_field():
    events = list(contracts.subclasses(Event))

    assert len(events) >= 5
    assert list(contracts.shared_events(events)) == []
    assert list(contracts.keyless_events(events)) == []
    assert list(contracts.shared_events([Keyless, Twin])) == ["orders.created"]
    assert list(contracts.keyless_events([Keyless, Twin])) == ["Keyless"]


def test_every_message_says_what_it_is():
    assert list(contracts.wordless_messages(contracts.subclasses(Message))) == []
    assert list(contracts.wordless_messages([Question, Unspoken])) == ["Unspoken"]
