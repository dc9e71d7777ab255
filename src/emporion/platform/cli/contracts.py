"""`emporion contracts`: the published descriptions, generated from the contracts."""

from pathlib import Path
from typing import Annotated

import typer

from emporion.platform.cli.exits import PROBLEM, refuse

Folder = Annotated[Path, typer.Option(metavar="DIR", help="Where the published files are.")]
DEFAULT_FOLDER = Path("contracts")


def generate(*, folder: Folder = DEFAULT_FOLDER) -> None:
    """Write .proto, OpenAPI and AsyncAPI files; numbers of fields stay what they were.

    For example:

      emporion contracts generate
    """
    from emporion.platform.contracts import generate as write

    written = write(folder)
    for file in written:
        print(file)
    if not written:
        print("nothing has changed")


def check(*, folder: Folder = DEFAULT_FOLDER) -> None:
    """Check that the published files are those of the code, and that no change breaks callers.

    For example:

      emporion contracts check
    """
    from emporion.platform.contracts import check as compare

    problems = compare(folder)
    if problems:
        advice = "write them again with: emporion contracts generate"
        refuse("\n".join([*problems, advice]), code=PROBLEM)
    print("the published contracts are those of the code")
