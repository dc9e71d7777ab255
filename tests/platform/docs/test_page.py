"""ARCHITECTURE.md is fresh, and its pictures follow the code."""

import shutil

import pytest

from emporion.platform.audit.subscribers import REACTS_TO
from emporion.platform.docs import calls, event_catalogue, house, sagas
from emporion.platform.docs.lifecycles import aggregates, pictures
from emporion.platform.docs.page import PAGE, PARTS, drawn
from emporion.platform.docs.source import events, services
from tests.architecture.tree import ROOT

CONTRACT_CALLS = '''"""A planted service."""

from emporion.contracts.payment import PaymentService


def build(needs):
    payment = needs.clients.get(PaymentService)
    return Desk(payment)


class Desk:
    def __init__(self, payment: PaymentService) -> None:
        self._payment = payment

    async def settle(self, request):
        await self._payment.charge(request)
        await self.other.refund(request)
'''
EVENTS = """table = (on(OrderCreated, greet),)
said = OrderRejected(order_id="ord")
"""
SAGAS = """greeting = Saga(
    "greet",
    version=1,
    input=Greeting,
    steps=(local("say hello", do=desk.hello, undo=desk.sorry), step("wave", do=hand.wave)),
)
"""
MANIFEST = "service: planted\nowner: greeters\n"


@pytest.fixture
def planted(tmp_path):
    """A checkout with one small service."""
    folder = tmp_path / "src/emporion/services/planted"
    folder.mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "service.py": CONTRACT_CALLS,
        "events.py": EVENTS,
        "sagas.py": SAGAS,
        "service.yaml": MANIFEST,
    }.items():
        (folder / name).write_text(text)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_page_is_fresh():
    page = (ROOT / PAGE).read_text()

    assert drawn(page, ROOT) == page, "run: make docs"


def test_drawing_again_changes_nothing():
    once = drawn((ROOT / PAGE).read_text(), ROOT)

    assert drawn(once, ROOT) == once


@pytest.mark.parametrize("part", PARTS)
def test_a_page_without_a_place_for_a_picture_is_refused(part):
    page = (ROOT / PAGE).read_text().replace(f"<!-- drawn: {part} -->", "")

    with pytest.raises(ValueError, match=part):
        drawn(page, ROOT)


def test_a_call_is_drawn_only_from_what_holds_the_client(planted):
    [service] = services(planted)

    assert calls.calls_of(service) == {"payment": ["charge"]}
    assert '    planted -- "charge" --> payment' in calls.picture(planted)


def test_events_are_drawn_from_who_makes_them_and_who_reacts(planted):
    rows = event_catalogue.table(planted).splitlines()

    said_by_and_heard_by = {row.split(" | ")[0]: row.split(" | ")[3:5] for row in rows}

    assert said_by_and_heard_by["| `orders.created`"] == ["", "planted"]
    assert said_by_and_heard_by["| `orders.rejected`"] == ["planted", ""]


def test_subscribers_whose_table_is_made_by_a_loop_are_drawn_as_well():
    heard = [row.split(" | ")[4] for row in event_catalogue.table(ROOT).splitlines()[2:]]
    rows = {name: cell.split(", ") for name, cell in zip(events(), heard, strict=True)}

    for service, names in REACTS_TO.items():
        for name, event in events().items():
            assert (service in rows[name]) == (event.SPEC.name in names), (service, name)


def test_a_saga_is_drawn_with_what_undoes_each_step(planted):
    [(name, steps)] = sagas.sagas_of(services(planted)[0])

    assert name == "greet"
    assert [(step.name, step.do, step.undo) for step in steps] == [
        ("say hello", "desk.hello", "desk.sorry"),
        ("wave", "hand.wave", ""),
    ]


def test_the_matrix_marks_the_files_that_are_there(planted):
    row = house.matrix(planted).splitlines()[-1]

    assert row.startswith("| planted |  | greeters |  | x | x |  |")


def test_every_transition_of_every_aggregate_is_drawn():
    drawn_states = pictures(ROOT)
    transitions = sum(len(aggregate.LIFECYCLE) for aggregate in aggregates(ROOT))

    assert {"Order", "Payment"} <= {aggregate.__name__ for aggregate in aggregates(ROOT)}
    assert sum(" : " in line for line in drawn_states.splitlines()) == transitions
