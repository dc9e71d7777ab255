"""docs/guides/api.md says what the shop does: its examples are run, its table is compared."""

import re
from pathlib import Path

import pytest

from emporion.chassis.http import app, binding, problem, throttle
from emporion.chassis.http.connection import HEAD_BYTES_MAX
from emporion.contracts.contract import BODY_BYTES_MAX, BULK_BYTES_MAX
from tests.api.exchanges import Exchange, Play, steps
from tests.api.live import live_shop
from tests.api.problems import told_to_clients

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "api.md"
TEXT = GUIDE.read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \| (.*?) \| (.*?) \|$", re.MULTILINE)
STATUS_ROW = re.compile(r"^\| ([\d, ]+|[\d, ]*no answer) \| (.*?) \| (.*?) \|$", re.MULTILINE)


@pytest.mark.timeout(90)
def test_every_example_of_the_guide_is_answered_as_it_says(tmp_path):
    with live_shop(tmp_path / "data", is_audited=False) as live:
        play = Play("127.0.0.1", live.server.port)
        shown = list(steps(TEXT))
        try:
            for step in shown:
                if isinstance(step, Exchange):
                    play.perform(step)
                else:
                    names = {"URL": live.url, "ACCESS_TOKEN": play.named["access_token"]}
                    exec(compile(step.text, f"{GUIDE.name}:{step.line}", "exec"), names)  # noqa: S102 - the documentation's own example
        finally:
            play.close()

    assert sum(isinstance(step, Exchange) for step in shown) >= 20


def test_the_table_of_problems_is_that_of_the_contracts_and_the_edge():
    told = told_to_clients()
    wanted = {slug: (str(problem.status_of(kind)), kind.title) for slug, kind in told.items()}

    rows = ROW.findall(TEXT)

    assert {slug: (status, title) for slug, status, title, _ in rows} == wanted
    assert len(rows) == len(wanted)
    assert all(len(advice) > 5 for *_, advice in rows)


def test_every_status_of_a_problem_says_what_to_do_next():
    listed = {
        int(status)
        for first, *_ in STATUS_ROW.findall(TEXT)
        for status in re.findall(r"\d+", first)
    }

    assert listed >= {problem.status_of(kind) for kind in told_to_clients().values()}


def test_the_limits_of_the_guide_are_those_of_the_code():
    limits, sockets = app.HttpLimits(), throttle.ThrottleLimits()

    assert (BODY_BYTES_MAX, BULK_BYTES_MAX, HEAD_BYTES_MAX) == (256 * 1024, 2**21, 32 * 1024)
    assert binding.PARAMETERS_MAX == 32
    assert limits.body_timeout_s == 10.0
    assert (sockets.burst, sockets.rate_per_s) == (50, 5.0)


@pytest.mark.parametrize(
    "text",
    [
        "```http\nGET /\n```\n",
        "```http\nHTTP/1.1 200 OK\n```\n",
        "```http\nGET /\n```\n```http\nGET /\n```\n",
    ],
)
def test_an_example_without_its_other_half_is_noticed(text):
    with pytest.raises(ValueError, match="line"):
        list(steps(text))


@pytest.mark.parametrize(
    ("got", "promised"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": "…"}),
        ([1, 2], [1]),
        ([], ["…", 1]),
        ({"a": "x", "b": "y"}, {"a": "<same>", "b": "<same>"}),
        ({"a": "/orders/1"}, {"a": "/api/<rest>"}),
        (None, "<name>"),
    ],
)
def test_an_answer_that_is_not_as_promised_is_noticed(got, promised):
    with pytest.raises(AssertionError):
        Play("127.0.0.1", 1)._compare(got, promised, "here")
