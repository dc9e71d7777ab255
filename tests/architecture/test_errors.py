"""The error tree drawn at the top of kernel/errors.py is the tree of the classes."""

import re

import pytest

from emporion.kernel import errors
from emporion.kernel.errors import CATEGORIES, EmporionError

BRANCH = re.compile(r"^[├└]── (\w+) +(.+?) +(\d{3})$", re.MULTILINE)


def drawn(picture: str) -> dict[str, str]:
    """The branches of the picture: a class and what is said of it."""
    return {name: said for name, said, _ in BRANCH.findall(picture)}


def defined() -> set[str]:
    """The classes that the module defines directly below the root."""
    return {
        kind.__name__
        for kind in EmporionError.__subclasses__()
        if kind.__module__ == errors.__name__
    }


def test_the_picture_shows_every_category_and_nothing_else():
    assert set(drawn(errors.__doc__)) == defined() == set(CATEGORIES)


@pytest.mark.parametrize("missing", sorted(CATEGORIES))
def test_a_branch_missing_in_the_picture_is_noticed(missing):
    lines = errors.__doc__.splitlines()
    picture = "\n".join(line for line in lines if f"── {missing} " not in line)

    assert set(drawn(picture)) == defined() - {missing}


@pytest.mark.parametrize("kind", CATEGORIES.values(), ids=lambda kind: kind.__name__)
def test_a_category_is_named_as_its_class(kind):
    assert kind.category == kind.__name__
    assert kind.slug == re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


@pytest.mark.parametrize("kind", CATEGORIES.values(), ids=lambda kind: kind.__name__)
def test_an_unknown_outcome_may_be_retried(kind):
    assert kind.is_retryable or kind.is_outcome_known
