"""A real vault for tests of the services that seal: on a database of its own, called directly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from emporion.chassis.data.database import Database
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.databases import Engine, migrations_of, sql_database
from emporion.contracts.contract import Service
from emporion.contracts.vault import KeyDestroyed, KeysOf, PersonKeys, PersonOf, VaultService
from emporion.kernel.errors import Unavailable
from emporion.services.vault.api import VaultApi
from emporion.services.vault.service import build

SECRET = "the secret of the tests"


class Vault(VaultApi):
    """The service as built, with a switch: whether it can be reached; and how often it was asked.

    Stands for the clients too, which know no other service.
    """

    def __init__(self, built: VaultApi) -> None:
        super().__init__(built._commands, built._queries)
        self.is_down = False
        self.asked = 0

    def get(self, contract: type[Service]) -> "Vault":
        """What clients give."""
        assert contract is VaultService
        return self

    async def keys_of(self, request: KeysOf) -> PersonKeys:
        """See VaultService."""
        if self.is_down:
            raise Unavailable("the vault is away")
        self.asked += 1
        return await super().keys_of(request)

    async def destroy_key(self, request: PersonOf) -> KeyDestroyed:
        """See VaultService."""
        if self.is_down:
            raise Unavailable("the vault is away")
        return await super().destroy_key(request)


class WithVault:
    """Clients of a vault, and of whatever others a test has."""

    def __init__(self, vault: Vault, others: Any) -> None:
        self._vault = vault
        self._others = others

    def get(self, contract: type[Service]) -> Any:
        """What clients give."""
        return self._vault if contract is VaultService else self._others.get(contract)


def vault_on(
    database: Database, runtime: Runtime, *, secret: str = SECRET, other: str = ""
) -> Vault:
    """A vault over a database that is open."""
    unused: Any = None
    needs = Needs(
        runtime,
        database,
        unused,
        unused,
        settings={"privacy_key": secret, "privacy_key_other": other},
    )
    built = build(needs).implementation
    assert isinstance(built, VaultApi)
    return Vault(built)


@asynccontextmanager
async def open_vault(
    folder: Path, runtime: Runtime, engine: Engine = "sqlite"
) -> AsyncIterator[Vault]:
    """A vault on the files of a folder: opening it again is a restart."""
    async with sql_database(
        engine, folder, [migrations_of("vault", engine)], source="vault", runtime=runtime
    ) as database:
        yield vault_on(database, runtime)
