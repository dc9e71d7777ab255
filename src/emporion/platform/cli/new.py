"""`emporion new service NAME`: the folder of a new service."""

from pathlib import Path
from typing import Annotated

import typer


def service(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One lower-case word.")],
    *,
    root: Annotated[Path, typer.Option(metavar="DIR", help="A checkout of the source.")] = Path(),
) -> None:
    """Write the folder of a new service: contract, domain, storage, tests. All checks pass.

    For example:

      emporion new service shipping
    """
    from emporion.platform.scaffold.create import create_service

    for file in create_service(root, name):
        print(file)
