"""NATS with JetStream on this machine: the broker of the shop's events."""

import re
import signal
from pathlib import Path
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from emporion.platform.engines.binaries import nats_program
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.supervisor.child import Command
from emporion.platform.supervisor.part import NotReady, StartFailed
from emporion.platform.supervisor.ports import LOOPBACK, free_port
from emporion.platform.topology.process_file import write_privately

USER: Final = "emporion"
CONNECT_TIMEOUT_S: Final = 2
_READY_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 10.0
_REFUSED: Final = re.compile(r"authorization violation", re.IGNORECASE)


class NatsServer:
    """A part of the shop: JetStream with its files in DATA/nats, by password on loopback only."""

    name = "nats"
    ready_timeout_s = _READY_TIMEOUT_S

    def __init__(self, data: Path, secrets: SecretsFile) -> None:
        self._store = data / "nats"
        self._config = data / "run" / "nats.conf"
        self._log = data / "logs" / f"{self.name}.log"
        self._password = secrets.of("nats")
        self._port = free_port()

    @property
    def address(self) -> str:
        """The URL for clients, with user and password."""
        return f"nats://{USER}:{self._password}@{LOOPBACK}:{self._port}"

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
        client = Client()
        try:
            await client.connect(
                self.address,
                allow_reconnect=False,
                reconnect_time_wait=0,  # the supervisor waits by itself
                connect_timeout=CONNECT_TIMEOUT_S,
                error_cb=_unheard,
            )
            await client.jetstream(timeout=CONNECT_TIMEOUT_S).account_info()
        except (NatsError, JetStreamError, OSError) as error:
            if _REFUSED.search(str(error)):
                raise StartFailed(f"{self.name} does not take our password") from error
            raise NotReady(str(error) or type(error).__name__) from error
        finally:
            await client.close()

    async def furnish(self) -> None:
        """See Part: streams are made by those who publish."""

    async def drain(self) -> None:
        """See Part: those who use it have ended before."""

    def ended(self) -> None:
        """See Part: it says nothing of itself that outlives it."""

    def _text(self) -> str:
        return "\n".join(
            (
                f'listen: "{LOOPBACK}:{self._port}"',
                f'server_name: "{USER}"',
                f'jetstream {{ store_dir: "{self._store}" }}',
                "authorization {",
                f'  user: "{USER}"',
                f'  password: "{self._password}"',
                "}",
                "",
            )
        )


async def _unheard(_: Exception) -> None:
    """The client tells its errors twice: here, and by raising them."""
