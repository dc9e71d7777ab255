"""Statements over arrays: which have a form, and what it looks like."""

import pytest

from emporion.chassis.data.postgres.arrays import Kind, over_arrays


def form_of(text: str, *types: str) -> tuple[Kind, str]:
    form = over_arrays(text)
    assert form is not None
    return form.kind, " ".join(form.text(types).split())


def test_an_insert_reads_its_rows_from_arrays():
    kind, text = form_of("INSERT INTO t (a, b) VALUES ($1, coalesce($2, 'a $1'))", "text", "int4")

    assert kind is Kind.INSERT
    assert text == (
        "INSERT INTO t (a, b) SELECT asked.p1, coalesce(asked.p2, 'a $1') FROM"
        " unnest($1::text[], $2::int4[]) WITH ORDINALITY AS asked (p1, p2, asked_place)"
    )


def test_an_insert_that_passes_by_what_is_there_is_known_as_one():
    kind, text = form_of("INSERT INTO t VALUES ($1) ON CONFLICT (a) DO NOTHING", "text")

    assert kind is Kind.INSERT_NEW
    assert text.endswith("ON CONFLICT (a) DO NOTHING")


def test_an_update_says_whose_row_it_changed():
    kind, text = form_of("UPDATE t SET a = $1 WHERE b = $2 AND c IS NULL", "text", "int8")

    assert kind is Kind.UPDATE
    assert text == (
        "UPDATE t SET a = asked.p1 FROM"
        " unnest($1::text[], $2::int8[]) WITH ORDINALITY AS asked (p1, p2, asked_place)"
        " WHERE b = asked.p2 AND c IS NULL RETURNING asked_place"
    )


def test_a_select_is_asked_for_each_by_itself():
    kind, text = form_of("SELECT a FROM t WHERE b = $1", "text")

    assert kind is Kind.SELECT
    assert text.endswith(
        "CROSS JOIN LATERAL (SELECT a FROM t WHERE b = asked.p1 OFFSET 0) AS found"
    )


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT a FROM t WHERE b = $1 ORDER BY a",
        "SELECT a FROM t WHERE b = $1 FOR UPDATE",
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        "INSERT INTO t VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
        "INSERT INTO t VALUES ($1) RETURNING a",
        "INSERT INTO t SELECT a FROM s WHERE b = $1",
        "UPDATE t SET a = $1 WHERE b = $2 RETURNING a",
        "UPDATE t SET a = (SELECT max(a) FROM t WHERE c = $1)",
        "DELETE FROM t WHERE a = $1",
    ],
)
def test_what_several_would_have_to_settle_between_them_has_no_form(text: str):
    assert over_arrays(text) is None
