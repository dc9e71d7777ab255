"""The whole shop behind a real socket, in a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from emporion.chassis.http.server import HttpServer, ServerSettings
from tests.api.shopfront import Shopfront, open_shopfront

T = TypeVar("T")
WAIT_S = 30.0


@dataclass
class Live:
    """A shop that takes connections; `front` is to be used on its own loop, by `run`."""

    front: Shopfront
    server: HttpServer
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.port}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the shop's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_S)


@contextmanager
def live_shop(folder: Path, **how: Any) -> Iterator[Live]:
    """A shop at a free port of 127.0.0.1; its books are audited when it has stopped.

    `how`: see open_shopfront.
    """
    ready: Future[tuple[Live, asyncio.Event]] = Future()
    ended: Future[None] = Future()

    async def serve() -> None:
        async with open_shopfront(folder, **how) as front:
            server = HttpServer(front.app, ServerSettings(port=0, drain_grace_s=0.0))
            await server.start()
            stop = asyncio.Event()
            ready.set_result((Live(front, server, asyncio.get_running_loop()), stop))
            await stop.wait()
            await server.drain()

    def live() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            (ended if ready.done() else ready).set_exception(error)
        else:
            ended.set_result(None)

    thread = threading.Thread(target=live, name="live shop", daemon=True)
    thread.start()
    shop, stop = ready.result(WAIT_S)
    try:
        yield shop
    finally:
        shop.loop.call_soon_threadsafe(stop.set)
        ended.result(WAIT_S)
        thread.join(WAIT_S)
