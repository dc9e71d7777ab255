"""`emporion operator`: people who may change products and stock, and see payments and mails."""

from typing import Annotated

import typer

from emporion.platform.cli.exits import refuse
from emporion.platform.cli.options import DEFAULT_DATA, Data


def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    *,
    name: Annotated[str, typer.Option(help="How the operator is called.")] = "Operator",
    password: Annotated[
        str,
        typer.Option(
            envvar="EMPORION_NEW_PASSWORD",
            help="At least 10 characters; asked for when it is not given.",
            show_default=False,
        ),
    ] = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Make an operator account, or make an existing account one; resets its password.

    The shop must not be running on the folder at that moment: stop it first, start it afterwards.

    For example:

      emporion operator add ada@shop.example --data /srv/shop
    """
    import asyncio
    import sys

    from emporion.platform.operators import put_operator

    if not password:
        if not sys.stdin.isatty():
            refuse("no password: give it in EMPORION_NEW_PASSWORD")
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    user_id = asyncio.run(put_operator(data, email, password, name=name))
    print(f"{email} is an operator ({user_id})")
