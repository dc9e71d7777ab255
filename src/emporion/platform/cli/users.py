"""`emporion users`: erase a person on their wish."""

from typing import Annotated

import typer

from emporion.platform.cli.asking import consulted, target_of
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

User = Annotated[str, typer.Argument(metavar="USER", help="The person's id.")]
Why = Annotated[
    str,
    typer.Option("--reason", help="Why; kept with your name. Do not say who it was.", prompt=True),
]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask again.")]


def erase(  # noqa: PLR0913 - each is an option of the command line
    user: User,
    *,
    reason: Why,
    yes: Sure = False,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Erase a person: their account, and the key without which nothing of them can be read.

    Orders and payments stay, without a name. It cannot be undone, and may be repeated.

    For example:

      emporion users erase usr_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b --reason "asked on 3 May"
    """
    from emporion.contracts.user import EraseUser, UserService
    from emporion.kernel.ids import USER, UserId, has_prefix

    if not has_prefix(user, USER):
        refuse(f"{user!r} is not the id of a person: they begin with {USER}_")
    if not yes:
        typer.confirm(f"Erase {user} for ever?", abort=True)
    target = target_of(data, url, email=operator_email, password=operator_password)
    request = EraseUser(user_id=UserId(user), reason=reason)
    erasure = consulted(target, lambda clients: clients.get(UserService).erase_user(request))
    if erasure.erased_at is None:
        print(f"{user} cannot sign in any more; their key will be destroyed as soon as it can be")
    else:
        print(f"{user} is erased since {erasure.erased_at.isoformat(timespec='seconds')}")
