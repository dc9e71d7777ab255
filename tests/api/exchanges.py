"""Reads the HTTP exchanges of a document, sends the requests, and compares the answers."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

_BLOCK = re.compile(r"^```(http|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"<([a-z_]+)>")
ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer as it stands in the document."""

    line: int
    first: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request with the answer that the document promises."""

    request: Message
    answer: Message


@dataclass(frozen=True, slots=True)
class Program:
    """A block of Python."""

    line: int
    text: str


def steps(document: str) -> Iterator[Exchange | Program]:
    """What a document shows, in its order. Raises ValueError when a request has no answer."""
    request: Message | None = None
    for found in _BLOCK.finditer(document):
        line = document.count("\n", 0, found.start()) + 2
        if found[1] == "python":
            yield Program(line, found[2])
            continue
        message = _message(found[2], line)
        is_answer = message.first.startswith("HTTP/1.1 ")
        if is_answer == (request is None):
            raise ValueError(f"line {line}: a request and its answer come in pairs")
        if request is None:
            request = message
            continue
        yield Exchange(request, message)
        request = None
    if request is not None:
        raise ValueError(f"line {request.line}: a request without an answer")


def _message(text: str, line: int) -> Message:
    head, _, body = text.partition("\n\n")
    first, *lines = head.strip().splitlines()
    headers = dict(each.split(": ", 1) for each in lines)
    return Message(line, first, headers, body.strip())


class Play:
    """Sends the exchanges of a document one after the other, and keeps what they name."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = HTTPConnection(host, port, timeout=20)
        self.named: dict[str, str] = {}

    def perform(self, exchange: Exchange) -> None:
        """Send the request and compare. Raises AssertionError naming the line."""
        verb, target = self._filled(exchange.request.first).split(" ")
        headers = {name: self._filled(it) for name, it in exchange.request.headers.items()}
        body = self._filled(exchange.request.body).encode()
        self._connection.request(verb, target, body or None, headers)
        response = self._connection.getresponse()
        got = response.read()
        where = f"line {exchange.answer.line}: {response.status} {got.decode()}"
        promised = exchange.answer
        assert f"{response.status} {response.reason}" == promised.first.partition(" ")[2], where
        for name, wanted in promised.headers.items():
            self._compare(response.headers[name], wanted, where)
        if promised.body:
            self._compare(json.loads(got), json.loads(promised.body), where)
        else:
            assert got == b"", where

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _filled(self, text: str) -> str:
        return _NAME.sub(lambda found: self.named[found[1]], text)

    def _compare(self, got: Any, wanted: Any, where: str) -> None:
        """Equal, apart from `…` and from names, which are learnt at their first mention."""
        if wanted == ANYTHING:
            return
        if isinstance(wanted, dict):
            keys = set(wanted) - {ANYTHING}
            assert keys <= set(got) if ANYTHING in wanted else keys == set(got), where
            for key in keys:
                self._compare(got[key], wanted[key], where)
        elif isinstance(wanted, list):
            is_open = wanted[-1:] == [ANYTHING]
            listed = wanted[:-1] if is_open else wanted
            assert len(got) >= len(listed) if is_open else len(got) == len(listed), where
            for one, other in zip(got, listed, strict=False):
                self._compare(one, other, where)
        elif isinstance(wanted, str) and (found := _NAME.search(wanted)):
            prefix, suffix = wanted[: found.start()], wanted[found.end() :]
            assert isinstance(got, str), where
            assert got.startswith(prefix) and got.endswith(suffix), where
            value = got[len(prefix) : len(got) - len(suffix)]
            is_renewed = found[1] == "access_token"
            known = value if is_renewed else self.named.setdefault(found[1], value)
            self.named[found[1]] = value
            assert known == value, where
        else:
            assert got == wanted, where
