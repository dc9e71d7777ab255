"""A user service over a real database, in manual time, with a password hash that costs nothing."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from emporion.chassis.auth.verifier import TokenVerifier
from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.testing.databases import Engine, migrations_of, sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.user import RefreshToken, Session, SignIn, SignUp, User
from emporion.kernel.errors import ResourceExhausted
from emporion.services.user.api import UserApi
from emporion.services.user.ports import Verdict
from emporion.services.user.service import UserAssembly, build
from tests.services.vaults import SECRET, Vault, open_vault

PASSWORD = "correct horse"


class PlainHasher:
    """PasswordHasher that hashes nothing; `version` plays the parameters, `work` counts.

    `meanwhile` is what else happens, once, while a password is being compared.
    """

    def __init__(self) -> None:
        self.version = 1
        self.work = 0
        self.is_full = False
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def hash(self, password: str) -> str:
        self._run()
        return f"{self.version}:{password}"

    async def verify(self, password: str, password_hash: str) -> Verdict:
        self._run()
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            await meanwhile()
        version, _, stored = password_hash.partition(":")
        return Verdict(is_match=stored == password, is_outdated=int(version) < self.version)

    async def waste(self, password: str) -> None:
        self._run()

    def _run(self) -> None:
        if self.is_full:
            raise ResourceExhausted
        self.work += 1


class UserWorld:
    """The service under test, and what a test does with it."""

    def __init__(
        self, database: Database, clock: ManualClock, hasher: PlainHasher, vault: Vault
    ) -> None:
        self.database = database
        self.vault = vault
        self.clock = clock
        self.hasher = hasher
        self.runtime = manual_runtime(clock)
        self.assembly = self.restarted(seed=1)
        self.verifier = TokenVerifier(self.assembly.public_keys, clock)

    def restarted(self, seed: int, secret: str = SECRET, other: str = "") -> UserAssembly:
        """Another instance of the service on the same database."""
        clients: Any = self.vault
        runtime = manual_runtime(self.clock, seed=seed)
        sagas = self.sagas = SagaEngine("user", self.database, runtime)
        settings = {"privacy_key": secret, "privacy_key_other": other}
        needs = Needs(runtime, self.database, clients, sagas, settings=settings)
        assembly = build(needs, hasher=self.hasher)
        sagas.register(assembly.sagas)
        return assembly

    @property
    def api(self) -> UserApi:
        implementation = self.assembly.implementation
        assert isinstance(implementation, UserApi)
        return implementation

    async def sign_up(self, email: str = "ada@example.test", password: str = PASSWORD) -> User:
        return await self.api.sign_up(SignUp(email=email, password=password, name="Ada"))

    async def sign_in(self, email: str = "ada@example.test", password: str = PASSWORD) -> Session:
        return await self.api.sign_in(SignIn(email=email, password=password))

    async def refresh(self, session: Session) -> Session:
        return await self.api.refresh(RefreshToken(refresh_token=session.refresh_token))

    @contextmanager
    def signed_in(self, session: Session) -> Iterator[None]:
        """Within it, the caller is whoever the access token names."""
        identity = self.verifier.authenticate(f"Bearer {session.access_token}".encode())
        token = enter(Call(identity=identity))
        try:
            yield
        finally:
            leave(token)

    async def rows(self, sql: str) -> list[Row]:
        async def work(tx: Tx) -> list[Row]:
            return await tx.fetch(sql)

        return await self.database.read(work)

    async def run(self, sql: str) -> None:
        """Change the database behind the service's back."""

        async def work(tx: Tx) -> None:
            await tx.execute(sql)

        await self.database.transaction(work)

    async def serve(self, alarm: Alarm) -> None:
        """Let an alarm do what is due now."""
        await alarm._run_due()

    async def key_of_a_new_token(self) -> str:
        """The id of the key that signs now."""
        await self.assembly.operators.ensure("key@example.test", PASSWORD)
        token = (await self.sign_in("key@example.test")).access_token
        header = base64.urlsafe_b64decode(token.partition(".")[0] + "==")
        return str(msgspec.json.decode(header)["kid"])


@pytest.fixture
async def world(engine: Engine, tmp_path: Path) -> AsyncIterator[UserWorld]:
    clock = ManualClock()
    runtime = manual_runtime(clock)
    async with (
        sql_database(
            engine, tmp_path, [migrations_of("user", engine)], source="user", runtime=runtime
        ) as database,
        open_vault(tmp_path, runtime) as vault,
    ):
        yield UserWorld(database, clock, PlainHasher(), vault)


@pytest.fixture
def password() -> str:
    return PASSWORD
