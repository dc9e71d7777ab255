"""`emporion fraud` beside a running shop: why, decide, change the rules, try them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.contracts.fraud import Rule, RuleKind, RuleParameters, RuleSet
from emporion.platform.rules_file import UnreadableRules, read_rules, written
from tests.platform.cli.test_operating import emporion, order
from tests.system.polling import eventually
from tests.system.running import Running, start

HOLD_ALL = """\
based_on: 0
threshold: 10
rules:
  - {name: everybody, kind: amount, weight: 10, parameters: {amount_minor: 1, currency: EUR}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shop"


@pytest.fixture
async def shop(folder: Path) -> AsyncIterator[Running]:
    running = start(folder)
    try:
        await running.until_open()
        yield running
    finally:
        running.kill()


@pytest.mark.system
@pytest.mark.timeout(300)
async def test_staff_tighten_the_rules_and_decide_about_what_they_hold(folder, shop, tmp_path):
    file = tmp_path / "rules.yaml"
    first = await order(shop.url)
    await eventually(
        lambda: "1 orders" in emporion(folder, "fraud", "backtest"),
        within_s=20,
        what="the order was screened",
    )
    assert "clear, 20 of 100 points" in emporion(folder, "fraud", "why", first)
    file.write_text(HOLD_ALL)
    tried = emporion(folder, "fraud", "backtest", str(file))
    assert "1 would be held, 0 were" in tried
    assert f"newly held: {first}" in tried
    assert "no order is on hold" in emporion(folder, "fraud", "reviews")

    assert "version 1" in emporion(folder, "fraud", "set", str(file), "--note", "all of them")
    file.write_text(emporion(folder, "fraud", "rules", "0"))
    assert "version 1 is in force" in emporion(folder, "fraud", "set", str(file), code=1)
    orders = [await order(shop.url, name) for name in ("bea", "cleo")]
    await eventually(
        lambda: all(each in emporion(folder, "fraud", "reviews") for each in orders),
        within_s=20,
        what="both orders are on hold",
    )

    because = ("--reason", "she called")
    assert "is released" in emporion(folder, "fraud", "release", orders[0], *because)
    assert "is rejected" in emporion(folder, "fraud", "reject", orders[1], "--reason", "stolen")
    assert "was released" in emporion(folder, "fraud", "reject", orders[0], *because, code=1)
    assert "was not screened" in emporion(folder, "fraud", "why", "ord_" + "0" * 32, code=1)
    await shop.stop()
    assert "no order is on hold" in emporion(folder, "fraud", "reviews")
    assert "everything adds up" in emporion(folder, "audit")


def test_rules_are_read_as_they_were_written(tmp_path: Path):
    file = tmp_path / "rules.yaml"
    rule = Rule(
        name="new",
        kind=RuleKind.NEW_ACCOUNT,
        weight=5,
        parameters=RuleParameters(age_s=60),
        is_enabled=False,
    )
    stored = RuleSet(version=7, threshold=9, rules=[rule], stored_at=None, stored_by="", note="")
    file.write_text(written(stored))

    read = read_rules(file)

    assert (read.based_on, read.threshold, read.rules) == (7, 9, [rule])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threshold: 1\nrules: [", "expected"),
        ("rules: []\n", "missing required field `threshold`"),
        ("threshold: 1\nrules: [{name: a}]\n", r"rules\[0\]"),
        ("threshold: 1\nrules: []\nlimit: 2\n", "unknown field `limit`"),
        ("[]", "Expected `object`"),
    ],
)
def test_a_file_that_holds_no_rules_says_where_it_is_wrong(tmp_path: Path, text: str, said: str):
    file = tmp_path / "rules.yaml"
    file.write_text(text)

    with pytest.raises(UnreadableRules, match=said):
        read_rules(file)
    with pytest.raises(UnreadableRules, match=r"none\.yaml"):
        read_rules(tmp_path / "none.yaml")
