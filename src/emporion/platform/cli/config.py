"""`emporion config`: what is set, and by which names it can be."""

from pathlib import Path
from typing import Annotated

import typer


def config(
    *,
    file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print the effective settings, secrets masked.

    They come from the defaults, then a TOML file, then EMPORION_ variables, then the options of
    emporion up; the later wins. A misspelt one is an error.

    For example:

      emporion config
      EMPORION_PORT=9000 emporion config --config shop.toml
    """
    from emporion.platform.settings import PREFIX, effective, load

    values = effective(load(file=file))
    if json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(values), indent=2).decode())
        return
    width = max(map(len, values))
    for name, value in values.items():
        print(f"{name:<{width}}  {value:<28}  {PREFIX}{name.upper()}".rstrip())
