"""NATS with JetStream on this machine: the broker of the shop's events."""

import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from emporion.platform.engines.binaries import nats_program
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.supervisor.child import Command
from emporion.platform.supervisor.part import NotReady, StartFailed
from emporion.platform.supervisor.ports import HERE, Where, bracketed, free_port
from emporion.platform.topology.process_file import write_privately

USER: Final = "emporion"
DOCTOR: Final = "doctor"
"""A user of the server's own account, who may ask how it is and sees no events."""
ROOM_BYTES: Final = 8 * 1024 * 1024
"""With less left on the disk a new start would fail like the one before."""
CONNECT_TIMEOUT_S: Final = 2
_READY_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 10.0
_HEALTH: Final = "$SYS.REQ.SERVER.PING.HEALTHZ"
_STORE_MAX: Final = "1TB"
"""The disk is the bound. Left out, three quarters of what is free at the start is: after a start
on a disk that is nearly full events are refused until the next start, whatever was freed."""
_REFUSED: Final = re.compile(r"authorization violation", re.IGNORECASE)


class _Health(msgspec.Struct):
    """What the server says of itself, as far as it is of interest here."""

    error: str = ""


class _Examined(msgspec.Struct):
    data: _Health


class NatsServer:
    """A part of the shop: JetStream with its files in DATA/nats, reached by password."""

    name = "nats"
    ready_timeout_s = _READY_TIMEOUT_S

    def __init__(self, data: Path, secrets: SecretsFile, *, where: Where = HERE) -> None:
        self._store = data / "nats"
        self._config = data / "run" / "nats.conf"
        self._log = data / "logs" / f"{self.name}.log"
        self._password = secrets.of("nats")
        self._doctor = secrets.of("nats/doctor")
        self._where = where
        self._port = free_port(where.listen)

    @property
    def address(self) -> str:
        """The URL for clients, with user and password."""
        return self._url(USER, self._password)

    async def prepare(self) -> Command:
        """See Part."""
        program = nats_program()
        self._store.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._config.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_privately(self._config, self._text().encode())
        return Command(
            self.name,
            (str(program), "-c", str(self._config)),
            self._log,
            stop_signal=signal.SIGTERM,
            stop_timeout_s=_STOP_TIMEOUT_S,
        )

    async def probe(self) -> None:
        """See Part: connected with the password, and JetStream answers."""
        try:
            async with _connected(self.address) as client:
                await client.jetstream(timeout=CONNECT_TIMEOUT_S).account_info()
        except (NatsError, JetStreamError, OSError) as error:
            if _REFUSED.search(str(error)):
                raise StartFailed(f"{self.name} does not take our password") from error
            raise NotReady(str(error) or type(error).__name__) from error

    async def ailment(self) -> str:
        """See Curable: a stream whose disk once refused a write takes no event ever again.

        The server then answers every publisher with silence, until it is started anew.
        """
        try:
            async with _connected(self._url(DOCTOR, self._doctor)) as client:
                answer = await client.request(_HEALTH, timeout=CONNECT_TIMEOUT_S)
            health = msgspec.json.decode(answer.data, type=_Examined).data
        except (NatsError, OSError, msgspec.MsgspecError):
            return ""  # it does not answer, which is no ailment: it may be busy, or ending
        is_well = not health.error or shutil.disk_usage(self._store).free < ROOM_BYTES
        return "" if is_well else health.error

    async def furnish(self) -> None:
        """See Part: streams are made by those who publish."""

    async def drain(self) -> None:
        """See Part: those who use it have ended before."""

    def ended(self) -> None:
        """See Part: it says nothing of itself that outlives it."""

    def _url(self, user: str, password: str) -> str:
        return f"nats://{user}:{password}@{self._where.in_url}:{self._port}"

    def _text(self) -> str:
        doctor = f'{{ user: "{DOCTOR}", password: "{self._doctor}" }}'
        return "\n".join(
            (
                f'listen: "{bracketed(self._where.listen)}:{self._port}"',
                f'server_name: "{USER}"',
                f'jetstream {{ store_dir: "{self._store}", max_file_store: {_STORE_MAX} }}',
                "authorization {",
                f'  users: [ {{ user: "{USER}", password: "{self._password}" }} ]',
                "}",
                f"accounts {{ $SYS {{ users: [ {doctor} ] }} }}",
                "",
            )
        )


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[Client]:
    """A client. Raises NatsError or OSError when there is none at the first try."""
    client = Client()
    try:
        await client.connect(
            address,
            allow_reconnect=False,
            reconnect_time_wait=0,  # the supervisor waits by itself
            connect_timeout=CONNECT_TIMEOUT_S,
            error_cb=_unheard,
        )
        yield client
    finally:
        await client.close()


async def _unheard(_: Exception) -> None:
    """The client tells its errors twice: here, and by raising them."""
