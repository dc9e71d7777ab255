"""What must not be is refused by a clear problem document, and nothing is written."""

import pytest

from tests.api.hostile_texts import ACCOUNTS, PRODUCTS, STOCK
from tests.api.refusals import ADDRESSES, BODIES, HEADERS, OTHERS, QUERIES, VERBS, Refused
from tests.api.shopfront import NOBODY, Person, Shopfront, slug_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
CASES = [*BODIES, *HEADERS, *ADDRESSES, *QUERIES, *VERBS, *OTHERS, *ACCOUNTS, *PRODUCTS, *STOCK]
PYTHON = (b"Traceback", b"msgspec", b"regex", b"codec", b"NoneType", b"sqlite", b"apsw", b"'str'")


async def person(front: Shopfront, name: str) -> Person:
    if name == "nobody":
        return NOBODY
    return front.operator if name == "operator" else await front.person(name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
async def test_a_bad_request_is_refused_and_nothing_is_written(front, case: Refused):
    who = await person(front, case.who)
    before = front.books()

    answer = await front.send(
        who, case.verb, case.target, headers=case.sent_headers, body=case.sent_body
    )

    if case.verb == "HEAD":
        assert (answer.status, answer.body) == (case.told[0], b"")
    else:
        assert (answer.status, slug_of(answer)) == case.told, answer
        fields = [error["field"] for error in answer.json().get("errors", [])]
        assert fields == ([case.at] if case.at else fields), answer
    assert not [word for word in PYTHON if word in answer.body], answer
    if answer.status == 405:
        assert case.verb not in answer.headers["allow"].split(", ")
    assert front.books() == before


async def test_no_two_cases_are_called_the_same():
    names = [case.what for case in CASES]

    assert sorted(set(names)) == sorted(names)


async def test_the_books_are_whole_after_all_that(front):
    assert await front.violations() == []
