"""`emporion serve`: one process of a split shop; the supervisor starts it, not people."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    *,
    process_file: Annotated[
        Path, typer.Option(metavar="FILE", help="What the supervisor wrote for this process.")
    ],
) -> None:
    """Serve the services of one process, as a file of the supervisor says."""
    from emporion.platform import serve as process

    process.serve(process_file)
