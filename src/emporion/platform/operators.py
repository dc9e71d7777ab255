"""Makes operator accounts: of a running shop as one of its operators, of any other in its files."""

from pathlib import Path

from emporion.chassis.runtime.system import system_runtime
from emporion.contracts.user import AddOperator, EmailTaken, UserService
from emporion.kernel.ids import UserId
from emporion.platform.client.address import Address
from emporion.platform.client.rest import RestClients
from emporion.platform.operating import PATIENCE_S, Target
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


async def add_operator(target: Target, email: str, password: str, *, name: str) -> UserId:
    """Create the operator through the shop that runs, or in the files of one that does not.

    Raises InvalidArgument, NoShopHere, FolderInUse, BadUrl, ConnectionLost, WrongCredentials and
    PermissionDenied (of the operator who asks), and EmailTaken: an account that exists is made an
    operator, and a password is reset, in the files of a shop that is stopped only.
    """
    url = target.where()
    if not url:
        return await put_operator(target.folder, email, password, name=name)
    clients = RestClients(Address.parse(url), patience_s=PATIENCE_S)
    try:
        await clients.sign_in(target.email, target.password)
        request = AddOperator(email=email, password=password, name=name)
        return (await clients.get(UserService).add_operator(request)).user_id
    except EmailTaken as error:
        raise EmailTaken(
            f"{email} has an account already. A running shop takes new operators only: to give it "
            "a new password or make it an operator's, stop the shop (SIGTERM; no order is lost), "
            "run this again, and start it"
        ) from error
    finally:
        clients.close()


async def put_operator(folder: Path, email: str, password: str, *, name: str) -> UserId:
    """Create the operator, or make the existing account one with this name and password.

    Raises InvalidArgument, NoShopHere, or FolderInUse while the shop runs.
    """
    runtime = system_runtime()
    hasher = Argon2Hasher(Argon2Settings())
    async with open_for_writing(folder, "user") as database:
        stores = Stores(SqlAccounts(), SqlSessions(), SqlThrottle(), SqlSigningKeys())
        new_accounts = NewAccounts(database, stores, hasher=hasher, runtime=runtime)
        operators = Operators(database, stores, hasher=hasher, new_accounts=new_accounts)
        return await operators.put(email, password, name=name)
