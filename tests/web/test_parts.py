"""The parts that keep a visitor safe, each by itself: cookies, the guard of forms, paths."""

import hashlib
import re

import pytest

from emporion.chassis.auth.identity import ANONYMOUS
from emporion.chassis.runtime.system import system_runtime
from emporion.web.asking import LocalAsking
from emporion.web.assets import FOLDER
from emporion.web.cookies import Cookies
from emporion.web.guard import ForeignForm, proof_of, require_own_form
from emporion.web.site import Ground
from emporion.web.storefront.front import Storefront
from emporion.web.storefront.paths import HOME, PATHS
from emporion.web.words import safe_path


def test_cookies_of_a_shop_behind_tls_belong_to_this_host_and_no_script():
    name, written = Cookies(is_secure=True).written("access", "abc.DEF-1_2", max_age_s=60)

    assert name == b"set-cookie"
    assert written == (
        b"__Host-access=abc.DEF-1_2; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure"
    )


def test_a_cookie_cannot_be_ended_by_its_value():
    for value in ("a;b", "a b", 'a"', "a\r\nx: y", "ä", "a,b"):
        with pytest.raises(ValueError, match="cannot hold"):
            Cookies(is_secure=True).written("access", value, max_age_s=60)


def test_behind_tls_a_cookie_without_the_prefix_is_not_ours():
    read = Cookies(is_secure=True).read(b"access=planted; __Host-access=own; junk")

    assert read == {"access": "own"}


class _Exchange:
    def __init__(self, **headers: str) -> None:
        named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        self.headers = {b"host": b"shop.test", **named}


SECRET = "s" * 43
OURS = {"emporion.css", "console.css", "console.js", "charts.js", "desks.css", "desks.js"}


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec_fetch_site": "same-origin"}, {"origin": "https://shop.test"}],
    ids=str,
)
def test_a_form_of_ours_is_taken(headers):
    require_own_form(_Exchange(**headers), secret=SECRET, proof=proof_of(SECRET))  # type: ignore[arg-type]  # its headers are all that is read


@pytest.mark.parametrize(
    ("headers", "secret", "proof"),
    [
        ({}, SECRET, ""),
        ({}, SECRET, SECRET),
        ({}, SECRET, proof_of("t" * 43)),
        ({}, "", proof_of("")),
        ({}, "short", proof_of("short")),
        ({"sec_fetch_site": "cross-site"}, SECRET, proof_of(SECRET)),
        ({"sec_fetch_site": "same-site"}, SECRET, proof_of(SECRET)),
        ({"origin": "https://evil.test"}, SECRET, proof_of(SECRET)),
        ({"origin": "null"}, SECRET, proof_of(SECRET)),
    ],
)
def test_a_form_from_elsewhere_is_refused(headers, secret, proof):
    with pytest.raises(ForeignForm):
        require_own_form(_Exchange(**headers), secret=secret, proof=proof)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    "text", ["//evil.test", "https://evil.test", "/\\evil.test", "evil", "", "/a\r\nb", "/ä"]
)
def test_nobody_is_led_elsewhere(text):
    assert safe_path(text) == "/"


def test_a_path_of_ours_is_kept():
    assert safe_path("/orders/ord_1?x=y") == "/orders/ord_1?x=y"


def test_what_others_wrote_is_here_unchanged_with_its_licence():
    rows = re.findall(
        r"^\| `(.+?)` \| .+? \| \[.+?\]\((.+?)\) \| `(.+?)` \|$",
        (FOLDER / "README.md").read_text(),
        re.MULTILINE,
    )

    assert {name for name, _, _ in rows} == {
        path.name for path in FOLDER.iterdir() if path.suffix in {".css", ".js", ".woff2"}
    } - OURS
    for name, licence, digest in rows:
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name
        assert (
            "Copyright" in (FOLDER / licence).read_text() or "BSD" in (FOLDER / licence).read_text()
        ), licence


def test_the_addresses_known_beforehand_are_those_of_the_storefront():
    runtime = system_runtime()
    nobody = LocalAsking([], lambda _: ANONYMOUS, runtime.clock)
    ground = Ground(runtime=runtime, asking=nobody, is_secure=True)

    assert Storefront(ground).paths == [("GET", HOME), *PATHS]
