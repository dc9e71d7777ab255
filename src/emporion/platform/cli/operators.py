"""`emporion operator`: people who may change products and stock, and see payments and mails."""

from typing import Annotated

import typer

from emporion.platform.cli.asking import target_of
from emporion.platform.cli.exits import refuse
from emporion.platform.cli.options import (
    DEFAULT_DATA,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    Data,
    OperatorEmail,
    OperatorPassword,
    RunningUrl,
)


def add(  # noqa: PLR0913 - each is an option of the command line
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
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Make an operator account: through the shop that runs, as one of its operators.

    Where none runs on the folder it is made in the shop's files, for which no operator is needed;
    an account that exists becomes an operator's then, and gets the new password.

    For example:

      emporion operator add ada@shop.example --data /srv/shop
      emporion operator add bob@shop.example --operator-email ada@shop.example
    """
    import asyncio
    import sys

    from emporion.platform.operators import add_operator

    if not password:
        if not sys.stdin.isatty():
            refuse("no password: give it in EMPORION_NEW_PASSWORD")
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    target = target_of(data, url, email=operator_email, password=operator_password)
    user_id = asyncio.run(add_operator(target, email, password, name=name))
    print(f"{email} is an operator ({user_id})")
