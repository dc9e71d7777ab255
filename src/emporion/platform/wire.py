"""The wire form of the shop's contracts, with the field numbers that are published."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from emporion.chassis.calls.grpc.schema import Schema, committed_in
from emporion.kernel.errors import FailedPrecondition
from emporion.platform.contracts import CONTRACTS


class UnpublishedContracts(FailedPrecondition):
    """The published .proto files are not where this program was installed."""

    slug = "unpublished-contracts"
    title = "The published contracts are missing"


@cache
def wire_schema() -> Schema:
    """Made once, in some 50 ms. Raises UnpublishedContracts.

    Without the published files the numbers of fields would be guesses, and a guess that is wrong
    puts one field's value into another.
    """
    return Schema(CONTRACTS, committed_in(_published()))


def _published() -> Traversable:
    """The folder in the wheel, or that of the checkout which an editable install points to."""
    packed = files("emporion.contracts") / "proto"
    checkout = Path(__file__).resolve().parents[3] / "contracts" / "proto"
    for folder in (packed, checkout):
        if folder.is_dir():
            return folder
    raise UnpublishedContracts(f"neither {packed} nor {checkout} is there")
