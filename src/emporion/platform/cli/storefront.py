"""`emporion storefront`: the pages in a process of their own, in front of a shop."""

from pathlib import Path
from typing import Annotated

import typer

from emporion.platform.cli.options import DEFAULT_URL


def storefront(
    *,
    shop: Annotated[
        str, typer.Option(help="Where the shop answers REST.", envvar="EMPORION_URL")
    ] = DEFAULT_URL,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Where to listen; 0: a free one.")
    ] = 8090,
    host: Annotated[
        str | None, typer.Option(help="The address to listen on. [default: 127.0.0.1]")
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            help="development, or production: cookies then travel over TLS only. "
            "[default: development]"
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings as TOML; see emporion config.")
    ] = None,
) -> None:
    """Show the storefront of a shop that runs elsewhere: a split one, or on another machine.

    It asks the shop over REST, as each visitor, and keeps nothing itself. The one-process shop
    shows its own storefront and does not need this.

    For example:

      emporion storefront --shop http://127.0.0.1:8080
      emporion storefront --shop https://shop.example --environment production --port 9000
    """
    from emporion.platform.client.address import Address
    from emporion.platform.settings import load
    from emporion.platform.storefront_process import run_storefront

    settings = load(file=config, host=host, port=port, environment=environment)
    address = Address.parse(shop)

    def announce(url: str) -> None:
        print(f"The storefront of {address} is open at {url} (Ctrl-C ends it).", flush=True)

    run_storefront(settings, address, announce)
