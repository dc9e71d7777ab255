"""Every rule that a check of this folder executes over the source."""

from tests.architecture.rule import Rule
from tests.architecture.rules import determinism, honesty, limits, services, words

RULES: tuple[Rule, ...] = (
    *determinism.RULES,
    *limits.RULES,
    *words.RULES,
    *honesty.RULES,
    *services.RULES,
)
