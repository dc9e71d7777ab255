"""All plants: every defect and pitfall of docs/defects.md, put back in a few lines."""

from tests.defects.plants_of_defects import DEFECTS
from tests.defects.plants_of_pitfalls import PITFALLS

PLANTS = tuple(sorted((*DEFECTS, *PITFALLS), key=lambda each: each.subject))
