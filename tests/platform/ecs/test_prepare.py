"""What `prepare` makes: one authority for as long as the shop lives, a certificate for each."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import boto3
import msgspec
import pytest
from cryptography import x509
from moto.server import ThreadedMotoServer

from emporion.kernel.errors import Unavailable
from emporion.platform.ecs.prepare import prepare_task
from emporion.platform.ecs.told import PREPARE, PrepareTold

REGION = "us-east-1"
PROCESSES = {"core": ("order", "payment"), "rest": ("email",)}


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def secrets(url: str) -> Any:
    """Those that a first deployment leaves."""
    client = boto3.client("secretsmanager", region_name=REGION, endpoint_url=url)
    for process in PROCESSES:
        generated = json.dumps({"password": process * 10})
        client.create_secret(Name=f"emporion/{process}/identity", SecretString=generated)
    for name in ("trust", "authority", "core/tls", "rest/tls", "callers/erp/tls"):
        client.create_secret(Name=f"emporion/{name}", SecretString="{}")
    return client


async def prepare(url: str) -> None:
    told = PrepareTold(
        shop="emporion",
        region=REGION,
        processes=PROCESSES,
        databases=(),
        is_tls=True,
        callers=("erp",),
        endpoint_url=url,
    )
    assert await prepare_task({PREPARE: msgspec.json.encode(told).decode()}) == []


def said(secrets: Any, name: str) -> dict[str, str]:
    read: dict[str, str] = json.loads(
        secrets.get_secret_value(SecretId=f"emporion/{name}")["SecretString"]
    )
    return read


async def test_everybody_gets_a_certificate_for_the_services_that_it_answers_for(url, secrets):
    await prepare(url)

    authority = x509.load_pem_x509_certificate(said(secrets, "authority")["certificate"].encode())
    for name, answers_for in (
        ("core", ["order", "payment", "operations"]),
        ("rest", ["email", "operations"]),
        ("callers/erp", ["erp"]),
    ):
        issued = said(secrets, f"{name}/tls")
        certificate = x509.load_pem_x509_certificate(issued["certificate"].encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        certificate.verify_directly_issued_by(authority)
        assert names.value.get_values_for_type(x509.DNSName) == answers_for
        assert issued["authority"] == said(secrets, "authority")["certificate"]
        assert said(secrets, "authority")["key"] not in json.dumps(issued)


async def test_a_later_run_issues_new_ones_of_the_same_authority(url, secrets):
    await prepare(url)
    first, authority = said(secrets, "core/tls"), said(secrets, "authority")
    await prepare(url)

    again = said(secrets, "core/tls")
    assert said(secrets, "authority") == authority
    assert again["authority"] == first["authority"]
    assert again["certificate"] != first["certificate"]


@pytest.mark.parametrize("kept", ['{"key": "x"}', '{"key": "x", "certificate": "y"}', "words"])
async def test_an_authority_that_cannot_be_read_is_not_replaced(url, secrets, kept):
    secrets.put_secret_value(SecretId="emporion/authority", SecretString=kept)

    with pytest.raises(Unavailable, match="the secret emporion/authority holds no authority"):
        await prepare(url)

    found = secrets.get_secret_value(SecretId="emporion/authority")["SecretString"]
    assert found == kept
