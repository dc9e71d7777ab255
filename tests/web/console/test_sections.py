"""Sections: whoever adds a module is in the navigation, and in no other way."""

import pytest

from emporion.chassis.auth.identity import ANONYMOUS
from emporion.chassis.calls.context import NO_TRACE
from emporion.chassis.http.app import Edge, HttpApp
from emporion.chassis.http.exchange import Exchange, Response
from emporion.chassis.runtime.system import system_runtime
from emporion.web.asking import LocalAsking
from emporion.web.console.front import Console
from emporion.web.console.paths import PATHS
from emporion.web.console.section import GROUPS, Entry, Section, navigation, path_of, sections
from emporion.web.guard import proof_of
from emporion.web.site import Ground
from tests.web.visitor import Visitor

SECRET = "s" * 43


async def _page(_visit):
    return Response(200, [])


class _Everything:
    """The addresses of the console, as the platform gives them."""

    def __init__(self, console: Console, verb: str, path: str) -> None:
        self.verb, self.path, self._console = verb, path, console

    async def serve(self, exchange: Exchange) -> Response:
        return await self._console.serve(exchange)


def _nobody_in(known: dict[str, Section]) -> Visitor:
    """A browser without a session, before a console of these sections that asks nobody."""
    runtime = system_runtime()
    asking = LocalAsking([], lambda _: ANONYMOUS, runtime.clock)
    console = Console(Ground(runtime=runtime, asking=asking, is_secure=False), known)
    edge = Edge(
        runtime=runtime,
        authenticate=lambda _: ANONYMOUS,
        trace_of=lambda _: NO_TRACE,
        record=lambda _: None,
        refuse=console.refuse,
    )
    beside = [_Everything(console, verb, path) for verb, path in PATHS]
    return Visitor(HttpApp((), edge, beside=beside))


def test_the_navigation_shows_the_sections_that_there_are_in_one_order():
    known = {name: Section(name.title(), pages={"": _page}) for name in ("returns", "traces")}

    assert navigation(known) == [
        ("Watch", [Entry("traces", "Traces", "/console/traces")]),
        ("Desks", [Entry("returns", "Returns", "/console/returns")]),
    ]


def test_every_section_has_a_page_at_its_own_address_and_one_deep_enough_for_the_edge():
    depth_max = max(path.count("/") for _, path in PATHS)
    names = {name for _, group in GROUPS for name in group}

    for name, section in sections().items():
        assert name in names and "" in section.pages, name
        for rest in (*section.pages, *section.forms):
            assert path_of(name, rest).count("/") <= depth_max, (name, rest)


@pytest.mark.parametrize(
    ("named", "back"),
    [
        ({"referer": "http://shop.test/console/sagas?state=stuck"}, "/console/sagas%3Fstate"),
        ({"referer": "http://["}, "/console"),
        ({}, "/console"),
    ],
)
async def test_a_form_that_outlived_its_session_leads_back_to_its_page(named, back):
    visitor = _nobody_in({"sagas": Section("Sagas", {"": _page}, {"/{saga_id}/retry": _page})})
    visitor.cookies["console-guard"] = SECRET

    fields = {"guard": proof_of(SECRET)}
    shown = await visitor.post("/console/sagas/ord_1/retry", fields, hops=0, **named)

    assert shown.status == 303
    assert shown.header("location").startswith(f"/console/sign-in?next={back}")


async def test_no_page_of_a_section_is_shown_to_nobody():
    known = sections()
    visitor = _nobody_in(known)

    for name, section in known.items():
        for rest in section.pages:
            shown = await visitor.once("GET", path_of(name, rest.replace("{", "").replace("}", "")))
            assert shown.status == 303, (name, rest)
