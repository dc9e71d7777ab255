"""A split shop shows its pages at the edge: bought through, ended cleanly, or not there at all."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from emporion.platform.settings import Environment, Settings
from emporion.platform.supervisor.local_shop import LocalShop
from emporion.platform.supervisor.pages_process import pages_process
from emporion.platform.topology.pages_file import PagesFile
from emporion.platform.topology.process_file import BadProcessFile
from emporion.platform.topology.reading import parse_topology
from tests.platform.supervisor.conftest import eventually, open_shop, programs_of, topology_text

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
HTML = {"accept": "text/html"}
WITH_PAGES = topology_text().replace("web: off", "web: on")


@pytest.fixture
async def shop(data: Path, said: list[str]) -> AsyncIterator[LocalShop]:
    async with open_shop(data, said, text=WITH_PAGES) as opened:
        yield opened


async def get(shop: LocalShop, path: str, **headers: str) -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(shop.url + path, headers=headers) as answer,
    ):
        return answer.status, answer.headers.get("content-type", ""), await answer.text()


async def test_people_see_pages_where_programs_find_what_there_is(shop: LocalShop) -> None:
    assert (await get(shop, "/"))[1] == "application/json"
    _, kind, page = await get(shop, "/", **HTML)
    assert kind == "text/html; charset=utf-8"
    assert "Emporion" in page  # more than that: the fakes sell nothing
    assert (await get(shop, "/", **{"hx-request": "true"}))[1] == "text/html; charset=utf-8"
    for path in ("/sign-in", "/console/sign-in"):
        status, kind, page = await get(shop, path, **HTML)
        assert (status, kind) == (200, "text/html; charset=utf-8"), path
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert (await get(shop, style))[:2] == (200, "text/css; charset=utf-8")
    assert (await get(shop, "/api/products"))[1] == "application/json"


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/livez", "/nothing"])
async def test_what_the_process_tells_its_supervisor_is_not_told_outside(
    shop: LocalShop, path: str
) -> None:
    status, kind, _ = await get(shop, path, **HTML)

    assert (status, kind) == (404, "application/problem+json")


async def test_under_the_words_of_pages_what_is_not_there_has_a_page(shop: LocalShop) -> None:
    status, kind, _ = await get(shop, "/orders/ord_1/nothing", **HTML)

    assert (status, kind) == (404, "text/html; charset=utf-8")


async def test_it_is_started_again_and_rolled_and_leaves_nothing(
    data: Path, said: list[str]
) -> None:
    async with open_shop(data, said, text=WITH_PAGES) as shop:
        kept = shop.supervisor.kept["web-1"]
        kept._child.kill()  # type: ignore[union-attr]
        await eventually(lambda: kept.restarts == 1)
        await shop.supervisor.roll()
        assert kept.part.name == "web-1b"
        assert (await get(shop, "/sign-in", **HTML))[0] == 200

    assert programs_of(data) == []
    assert "  web-1b took the place of web-1 in" in "\n".join(said)
    assert list((data / "run" / "listening").iterdir()) == []


def test_it_is_told_no_secret(tmp_path: Path) -> None:
    topology = parse_topology(WITH_PAGES, "shop.yaml")
    secret = Settings(
        data=str(tmp_path), payment_key="sk", privacy_key="pk", smtp_password="sp",
        otlp_header="oh", operator_password="op", environment=Environment.PRODUCTION,
    )  # fmt: skip

    process = pages_process(topology, secret, "http://127.0.0.1:8080")

    known = process.told.settings
    told = {known.payment_key, known.privacy_key, known.smtp_password, known.otlp_header}
    assert told == {""}
    assert known.operator_password != "op"
    assert known.environment is Environment.PRODUCTION
    process.told.write(tmp_path / "told")
    assert PagesFile.read(tmp_path / "told") == process.told


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadProcessFile, match="told: No such file"):
        PagesFile.read(tmp_path / "told")
    (tmp_path / "told").write_text("{}")
    with pytest.raises(BadProcessFile, match="told: Object missing required field"):
        PagesFile.read(tmp_path / "told")


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        (WITH_PAGES, True),
        (WITH_PAGES.replace("web: on\n", ""), True),
        (topology_text(), False),
        (WITH_PAGES.replace("edge: envoy", "edge: none"), False),
    ],
)
def test_a_topology_says_whether_pages_are_shown(text: str, is_shown: bool) -> None:
    assert parse_topology(text, "shop.yaml").shows_pages is is_shown
