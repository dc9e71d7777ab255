"""Each defect put back, one subject after the other: its test must fail by an assertion."""

import pytest

from tests.defects.planted import try_all
from tests.defects.plants import PLANTS

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]
SUBJECTS = sorted({plant.subject for plant in PLANTS})


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: "{} {}".format(*subject))
def test_all_plants_are_caught(subject):
    plants = [plant for plant in PLANTS if plant.subject == subject]

    results = list(try_all(plants, at_once=1))

    assert {each.plant.what: each.said for each in results if not each.is_caught} == {}
    assert len(results) == len(plants)
