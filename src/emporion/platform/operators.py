"""Makes operator accounts: of a running shop as one of its operators, of any other in its files."""

from pathlib import Path

from emporion.contracts.user import AddOperator, EmailTaken, UserService
from emporion.kernel.ids import UserId
from emporion.platform.client.address import Address
from emporion.platform.client.rest import RestClients
from emporion.platform.operating import PATIENCE_S, Target, open_stopped


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
    async with open_stopped(folder) as shop:
        return await shop.user.operators.put(email, password, name=name)
