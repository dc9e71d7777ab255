"""`emporion serve-pages`: the pages of a split shop; the supervisor starts it, not people."""

from pathlib import Path
from typing import Annotated

import typer


def serve_pages(
    *,
    file: Annotated[
        Path, typer.Option(metavar="FILE", help="What the supervisor wrote for this process.")
    ],
) -> None:
    """Show the pages of a split shop, as a file of the supervisor says."""
    from emporion.platform.storefront_process import serve_pages as serve

    serve(file)
