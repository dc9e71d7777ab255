"""The crash matrix can fail: defects planted in a copy of the source are found."""

from typing import Any

import pytest

from tests.crash.life import Death, Life, Template
from tests.crash.planted import DEFECTS, Defect, plant
from tests.system.shoppers import MIXES, Plan

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]
IN_SHORT = ("the idempotency key is lost", "the undo is skipped")
"""The others are found in the long form of the tests."""


def _in_its_form(defect: Defect) -> Any:
    marks = () if defect.name in IN_SHORT else (pytest.mark.engines,)
    return pytest.param(defect, id=defect.name, marks=marks)


def test_the_short_form_names_defects_that_there_are():
    assert set(IN_SHORT) < {defect.name for defect in DEFECTS}


@pytest.mark.parametrize("defect", [_in_its_form(defect) for defect in DEFECTS])
async def test_a_planted_defect_is_found(template: Template, tmp_path, defect: Defect):
    life = Life(
        template.copy(tmp_path / "data"),
        Plan(seed=2, mix=MIXES[defect.needs]),
        source=plant(defect, tmp_path),
        patience_s=4.0,
    )

    outcome = await life.end_under_load(template.customers, [Death(defect.point, defect.hit)])

    assert outcome.is_reached
    assert any(defect.shows in complaint for complaint in outcome.complaints), outcome.complaints
    assert bool(outcome.audit) or not defect.is_audited, "emporion audit saw nothing"
