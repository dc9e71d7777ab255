"""What the edge answers itself: descriptions, and problems in the words of the shop."""

from pathlib import Path
from typing import Final

from emporion.chassis.http.problem import CONTENT_TYPE, TYPE_PREFIX
from emporion.platform.edge.files import EdgeFiles
from emporion.platform.edge.pieces import Json, header

_FIRST_ERROR: Final = 400
_OWN_WORDS: Final = {
    404: ("no-such-route", "Not found", "there is no such path"),
    408: ("body-too-late", "The body did not arrive in time", "nothing was done"),
    413: ("body-too-large", "The body is too large", "send less at once"),
    503: ("unavailable", "Not available at the moment", "nothing answers there now; try again"),
    504: ("deadline-exceeded", "Not answered in time", "the outcome is unknown"),
}
_OTHER_WORDS: Final = ("error", "The request was refused", "see the status")
"""What the edge says itself: slug, title, detail."""


def own_pages(files: EdgeFiles) -> list[Json]:
    """What belongs to no process, and is there while none is."""
    return [_page("/", files.index), _page("/openapi.json", files.openapi)]


def _page(path: str, file: Path) -> Json:
    return {
        "match": {
            "path": path,
            "headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
        },
        "direct_response": {"status": 200, "body": {"filename": str(file)}},
        "response_headers_to_add": [
            header("content-type", "application/json"),
            header("vary", "Accept, HX-Request"),
        ],
    }


def nothing_there() -> Json:
    """The route of all that has no other."""
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": 404, "body": {"inline_string": "nothing is there"}},
    }


def own_answers() -> Json:
    """What the edge says itself is a problem document too, like everything the shop refuses."""
    mappers = [_problem(status, words) for status, words in _OWN_WORDS.items()]
    return {"mappers": [*mappers, _problem(_FIRST_ERROR, _OTHER_WORDS, is_exact=False)]}


def _problem(status: int, words: tuple[str, str, str], *, is_exact: bool = True) -> Json:
    slug, title, detail = words
    compared = {
        "op": "EQ" if is_exact else "GE",
        "value": {"default_value": status, "runtime_key": f"edge.{slug}"},
    }
    return {
        "filter": {"status_code_filter": {"comparison": compared}},
        "body_format_override": {
            "json_format": {
                "type": f"{TYPE_PREFIX}{slug}",
                "title": title,
                "status": "%RESPONSE_CODE%",
                "detail": detail,
                "trace_id": "%REQ(X-REQUEST-ID)%",
            },
            "content_type": CONTENT_TYPE.decode(),
        },
    }
