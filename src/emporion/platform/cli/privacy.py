"""`emporion privacy`: whether the data of people is sealed, and with which secret."""

from typing import Annotated

import typer

from emporion.platform.cli.exits import PROBLEM, refuse, say
from emporion.platform.cli.options import DEFAULT_DATA, Data

Finish = Annotated[
    bool, typer.Option("--finish", help="Forget the secret from before: nothing needs it any more.")
]


def check(*, data: Data = DEFAULT_DATA) -> None:
    """Count what is sealed with which secret, and what is readable without the keys of people.

    Reads only; works beside a running shop, of one process or split. Secrets are named by 16 hex
    digits, which tell nothing of them. Exits 1 when there is something to do, and says what; 2
    when there is no shop in the folder.

    For example:

      emporion privacy check --data /srv/shop
    """
    import asyncio

    from emporion.platform.cli.tables import show
    from emporion.platform.privacy_standing import standing
    from emporion.platform.reading.refusals import NoShopHere

    try:
        found = asyncio.run(standing(data))
    except NoShopHere as error:
        refuse(error.detail)
    show(("what", "number"), [(each.what, f"{each.number:,}") for each in found])
    for each in found:
        if each.to_do:
            print(f"{each.what}: {each.to_do}")
    if any(each.to_do for each in found):
        raise typer.Exit(PROBLEM)
    print("everything is sealed with the current privacy_key")


def rotate(*, data: Data = DEFAULT_DATA, finish: Finish = False) -> None:
    """Put a new generated privacy_key in the place of the old one, in secrets.json.

    Stop the shop, rotate, start it: it wraps all keys of people with the new secret and indexes
    all addresses with it, while it sells. When `emporion privacy check` has nothing to say,
    --finish. Where privacy_key is set, rotate it there: docs/guides/privacy.md says how.

    For example:

      emporion privacy rotate --data /srv/shop
      emporion privacy rotate --data /srv/shop --finish
    """
    import asyncio

    from emporion.platform.privacy_rotation import begin_rotation, finish_rotation
    from emporion.platform.reading.refusals import NoShopHere

    try:
        if finish:
            asyncio.run(finish_rotation(data))
        else:
            begin_rotation(data)
    except NoShopHere as error:
        refuse(error.detail)
    if finish:
        say("the secret from before is forgotten; backups of the vault from then still need it")
    else:
        say("there is a new privacy_key: start the shop, and keep a copy of secrets.json")
