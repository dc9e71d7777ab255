"""When to try again, what to sign, where to send: the rules without anything around them."""

import base64
import hmac
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from emporion.services.webhook.adapters.http import retry_after_s
from emporion.services.webhook.domain import schedule
from emporion.services.webhook.domain.target import mistake_in
from emporion.services.webhook.queries import signing

NOW_MS = 1_767_225_600_000


def test_tries_go_on_for_five_days_further_and_further_apart():
    tries_s, at_ms = [], 0
    while not schedule.is_hopeless(0, at_ms):
        at_ms += schedule.pause_ms(at_ms, 0.5)
        tries_s.append(at_ms // 1_000)

    assert tries_s[:7] == [5, 20, 80, 320, 1_280, 5_120, 20_480]
    assert {after - before for before, after in pairwise(tries_s[6:])} == {21_600}
    assert len(tries_s) == 27
    assert 5 * 86_400 <= tries_s[-1] < 5 * 86_400 + 21_600


@given(st.integers(0, 10**9), st.floats(0, 1), st.integers(0, 10**9))
def test_a_pause_is_at_least_what_the_endpoint_asked_for_up_to_a_day(tried_ms, chance, asked_s):
    pause_ms = schedule.pause_ms(tried_ms, chance, asked_s)

    assert pause_ms >= min(asked_s, 86_400) * 1_000
    assert 4_000 <= pause_ms <= max(6 * 3_600_000 * 1.2, min(asked_s, 86_400) * 1_000)


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=100))
def test_a_signature_is_the_hmac_of_id_instant_and_body(key: bytes, body: bytes):
    signature = signing.signature(
        [signing.secret_of(key)], webhook_id="evt_1", timestamp_s=1_767_225_600, body=body
    )

    expected = hmac.new(key, b"evt_1.1767225600." + body, "sha256").digest()
    assert signature == "v1," + base64.b64encode(expected).decode()


def test_the_schemes_own_library_signs_the_same():
    secret = signing.secret_of(b"k" * 32)
    at = datetime(2026, 1, 1, tzinfo=UTC)

    ours = signing.signature(
        [secret], webhook_id="evt_1", timestamp_s=int(at.timestamp()), body=b'{"a":1}'
    )

    assert ours == Webhook(secret).sign("evt_1", at, '{"a":1}')


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("9" * 40, 10**9),
        ("\u00b2", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, wait_s: int):
    assert retry_after_s(text, NOW_MS) == wait_s


@pytest.mark.parametrize(
    "url",
    [
        "https://merchant.example/hooks",
        "https://merchant.example:8443/hooks?shop=1",
        "https://[2606:4700::1]/",
    ],
)
def test_https_urls_are_usable(url: str):
    assert mistake_in(url, is_http_allowed=False) == ""


@pytest.mark.parametrize("host", ["localhost:80", "127.0.0.1", "[::1]:9"])
def test_plain_http_is_for_this_machine_in_a_development_shop(host: str):
    assert mistake_in(f"http://{host}/", is_http_allowed=True) == ""
    assert mistake_in(f"http://{host}/", is_http_allowed=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://merchant.example/",
        "ftp://merchant.example/",
        "//merchant.example/",
        "https:///hooks",
        "https://name:word@merchant.example/",
        "https://name@merchant.example/",
        "https://merchant.example:0/",
        "https://merchant.example:99999/",
        "https://merchant.example/\r\nX: y",
        "https://merchant.example/a b",
        "https://m\u00e9rchant.example/",
        "https://merchant.example\\@evil.example/",
        "https://[::1",
        "merchant",
    ],
)
def test_other_urls_are_refused(url: str):
    assert mistake_in(url, is_http_allowed=True)
