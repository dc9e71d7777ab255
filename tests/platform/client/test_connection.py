"""The lean connection against servers that misbehave."""

import asyncio
import contextlib

import pytest

from emporion.platform.client import connection as connections
from emporion.platform.client.address import Address, BadUrl
from emporion.platform.client.connection import Connection, ConnectionLost

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.asynccontextmanager
async def server(*answers: bytes):
    """Answers one request after another, each with the next of `answers`, then hangs up."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while left:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(left.pop(0))
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield Address.parse(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")


async def get(connection: Connection, timeout_s: float = 2.0) -> connections.Answer:
    return await connection.call(connection.head("GET", "/x"), timeout_s=timeout_s)


async def test_one_connection_carries_many_requests():
    async with server(OK, OK, OK) as address:
        connection = Connection(address)
        assert [(await get(connection)).body for _ in range(3)] == [b"ok"] * 3
        connection.close()


async def test_a_chunked_answer_and_its_retry_after_are_read():
    chunked = (
        b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with server(chunked) as address:
        connection = Connection(address)
        answer = await get(connection)
        connection.close()

    assert (answer.status, answer.body, answer.retry_after_s) == (503, b"abcde", 7.0)


async def test_after_connection_close_the_next_call_connects_again():
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1"
    async with server(closing, OK) as address:
        connection = Connection(address)
        assert (await get(connection)).body == b"1"
        assert (await get(connection)).body == b"ok"
        connection.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "closed"),
    ],
)
async def test_an_answer_that_is_none_is_a_lost_connection(answer, said):
    async with server(answer) as address:
        connection = Connection(address)
        with pytest.raises(ConnectionLost, match=said):
            await get(connection)
        connection.close()


async def test_an_answer_that_never_comes_ends_in_time_and_the_late_one_is_not_mistaken():
    partial = b"HTTP/1.1 200 OK\r\n"
    async with server(partial, OK) as address:
        connection = Connection(address)
        with pytest.raises(ConnectionLost, match=r"within 0\.1 s"):
            await get(connection, timeout_s=0.1)
        assert (await get(connection)).body == b"ok"
        connection.close()


async def test_an_endless_answer_is_cut(monkeypatch):
    monkeypatch.setattr(connections, "ANSWER_BYTES_MAX", 1_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
    async with server(head + b"x" * 5_000) as address:
        connection = Connection(address)
        with pytest.raises(ConnectionLost, match="too large"):
            await get(connection)
        connection.close()


async def test_nobody_listening_is_said_with_the_address():
    async with server() as address:
        pass
    with pytest.raises(ConnectionLost, match=f"cannot reach {address}"):
        await get(Connection(address))


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8080", "ftp://x", "http://", "http://x:99999", "http://u@x", "http://x/?a=b"],
)
def test_what_is_no_url_of_a_shop_is_refused(url):
    with pytest.raises(BadUrl):
        Address.parse(url)


def test_a_url_may_have_a_prefix_and_an_ipv6_address():
    address = Address.parse("https://[::1]:8443/shop/")

    assert (address.host, address.port, address.is_tls) == ("::1", 8443, True)
    assert str(address) == "https://[::1]:8443/shop"
