"""Makes operator accounts in the database of a shop that is not running."""

from pathlib import Path

from emporion.chassis.runtime.system import system_runtime
from emporion.kernel.ids import UserId
from emporion.platform.data_folder import DataFolder, FolderInUse
from emporion.platform.shop_folder import open_for_writing
from emporion.services.user.adapters.argon2 import Argon2Hasher, Argon2Settings
from emporion.services.user.adapters.sql import (
    SqlAccounts,
    SqlSessions,
    SqlSigningKeys,
    SqlThrottle,
)
from emporion.services.user.commands.accounts import NewAccounts
from emporion.services.user.commands.operators import Operators
from emporion.services.user.ports import Stores


async def put_operator(folder: Path, email: str, password: str, *, name: str) -> UserId:
    """Create the operator, or make the existing account one with this name and password.

    Raises InvalidArgument, NoShopHere, or FolderInUse while the shop runs: passwords of operators
    are set in its files only, never through its API.
    """
    runtime = system_runtime()
    hasher = Argon2Hasher(Argon2Settings())
    if DataFolder.is_held(folder):
        raise FolderInUse(
            f"{folder} is in use by a running shop, and operators are made in its files: stop it "
            "(SIGTERM; no order is lost), run this again, and start it"
        )
    async with open_for_writing(folder, "user") as database:
        stores = Stores(SqlAccounts(), SqlSessions(), SqlThrottle(), SqlSigningKeys())
        new_accounts = NewAccounts(database, stores, hasher=hasher, runtime=runtime)
        operators = Operators(database, stores, hasher=hasher, new_accounts=new_accounts)
        return await operators.put(email, password, name=name)
