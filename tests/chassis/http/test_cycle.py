"""One request and its answer on a connection, with a transport that keeps what is written."""

import asyncio

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from emporion.chassis.http.cycle import Cycle
from emporion.chassis.http.exchange import WHOLE_BODY, ClientGone


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def transport():
    return Transport()


@pytest.fixture
def cycle(transport):
    return Cycle(
        {"headers": []},
        transport,
        FlowControl(transport),
        default_headers=[(b"date", b"now")],
        message_event=asyncio.Event(),
        keep_alive=True,
        on_response=lambda: None,
    )


async def answer(cycle: Cycle, *headers: tuple[bytes, bytes]) -> None:
    await cycle.send({"type": "http.response.start", "status": 200, "headers": [*headers]})
    await cycle.send({"type": "http.response.body", "body": b"said"})


async def test_head_and_body_leave_together(cycle, transport):
    await answer(cycle, (b"x", b"y"))

    assert transport.written == [b"HTTP/1.1 200 OK\r\ndate: now\r\nx: y\r\n\r\nsaid"]
    assert not transport.is_closed


async def test_a_header_that_would_end_its_line_is_refused(cycle, transport):
    with pytest.raises(ValueError, match="line end"):
        await answer(cycle, (b"x", b"y\r\nset-cookie: z"))

    assert transport.written == []


async def test_a_connection_whose_application_fails_is_closed(cycle, transport):
    async def fail(*_: object) -> None:
        raise LookupError

    await cycle.run_asgi(fail)

    assert transport.is_closed


async def test_a_connection_that_is_not_answered_on_is_closed(cycle, transport):
    async def say_nothing(*_: object) -> None:
        await asyncio.sleep(0)

    await cycle.run_asgi(say_nothing)

    assert transport.is_closed


async def test_nothing_is_written_to_a_client_that_went(cycle, transport):
    cycle.disconnected = True

    await answer(cycle)

    assert transport.written == []
    assert (await cycle.receive())["type"] == "http.disconnect"


async def test_a_body_that_is_received_in_part_is_not_at_hand_as_a_whole(cycle):
    cycle.take(b"a")
    part = await cycle.receive()
    cycle.take(b"b")
    cycle.end_body()

    assert (part["body"], part["more_body"]) == (b"a", True)
    assert WHOLE_BODY not in cycle.scope
    assert await cycle.receive() == {"type": "http.request", "body": b"b", "more_body": False}


async def begin(cycle: Cycle) -> None:
    await cycle.send({"type": "http.response.start", "status": 200, "headers": []})


async def part(cycle: Cycle, body: bytes, *, has_more: bool = True) -> None:
    await cycle.send({"type": "http.response.body", "body": body, "more_body": has_more})


async def test_parts_of_a_body_leave_as_they_come(cycle, transport):
    await begin(cycle)
    await part(cycle, b"one")
    after_first = list(transport.written)
    await part(cycle, b"sixteen of bytes")
    await part(cycle, b"", has_more=False)

    head = b"HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n"
    assert after_first == [head, b"3\r\none\r\n"]
    assert transport.written[2:] == [b"10\r\nsixteen of bytes\r\n", b"0\r\n\r\n"]
    assert cycle.response_complete and not transport.is_closed


async def test_a_part_for_nobody_is_told_to_its_sender(cycle, transport):
    await begin(cycle)
    await part(cycle, b"one")
    written = list(transport.written)
    cycle.disconnected = True

    with pytest.raises(ClientGone):
        await part(cycle, b"two")

    assert transport.written == written
