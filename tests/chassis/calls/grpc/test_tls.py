"""Mutual TLS: both ends show a certificate of the shop's own authority, or they do not speak."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from emporion.chassis.calls.grpc.server import GrpcSettings
from emporion.chassis.calls.grpc.tls import TlsFiles, TlsFileUnreadable
from emporion.chassis.testing.sample_service import Echo, Put, SampleShop
from emporion.kernel.errors import Unavailable
from tests.chassis.calls.grpc.wired import wired

DAY = timedelta(days=1)


class Authority:
    """Signs certificates."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._certificate(self.name, self.key, names=(), is_authority=True)

    def _certificate(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        names: Iterable[str],
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        alternatives = [x509.DNSName(name) for name in names]
        if alternatives:
            extension = x509.SubjectAlternativeName(alternatives)
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, folder: Path, *names: str) -> TlsFiles:
        """The files of a process that serves those names."""
        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
        files = TlsFiles(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
        pem = serialization.Encoding.PEM
        files.authority.write_bytes(self.certificate.public_bytes(pem))
        files.certificate.write_bytes(
            self._certificate(subject, key, names=names).public_bytes(pem)
        )
        files.key.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return files


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("shop")


async def test_both_ends_with_a_certificate_of_the_authority_talk(tmp_path, authority):
    settings = GrpcSettings(tls=authority.issue(tmp_path / "sample", "sample"))
    async with wired(tmp_path, settings=settings) as ends:
        client = ends.client(await ends.serve(SampleShop(ends.runtime)))
        reply = await client.internal_echo(Echo(text="x"))
        assert reply.caller == "service:tester"


async def test_a_client_without_a_certificate_is_refused(tmp_path, authority):
    settings = GrpcSettings(tls=authority.issue(tmp_path / "sample", "sample"))
    async with wired(tmp_path, settings=settings) as ends:
        server = await ends.serve(SampleShop(ends.runtime))
        assert settings.tls is not None
        root = settings.tls.authority.read_bytes()
        for credentials in (grpc.ssl_channel_credentials(root), None):
            assert await refused(server.port, credentials)
        ends.settings = GrpcSettings()
        with pytest.raises(Unavailable):
            await ends.client(server).put_unkeyed(Put(put_key="a"))


async def refused(port: int, credentials: grpc.ChannelCredentials | None) -> bool:
    """Whether a plain call with those credentials gets no answer of the service."""
    address = f"127.0.0.1:{port}"
    options = [("grpc.ssl_target_name_override", "sample")]
    channel: Any = (
        grpc.aio.insecure_channel(address)
        if credentials is None
        else grpc.aio.secure_channel(address, credentials, options=options)
    )
    call = channel.unary_unary("/emporion.sample.v1.SampleService/Echo")
    try:
        await call(b"\n\x01x", timeout=5)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        await channel.close()
    return False


async def test_a_certificate_of_another_authority_is_refused(tmp_path, authority):
    settings = GrpcSettings(tls=authority.issue(tmp_path / "sample", "sample"))
    async with wired(tmp_path, settings=settings) as ends:
        server = await ends.serve(SampleShop(ends.runtime))
        ends.settings = GrpcSettings(tls=Authority("other").issue(tmp_path / "other", "sample"))
        with pytest.raises(Unavailable):
            await ends.client(server).put_unkeyed(Put(put_key="a"))


async def test_a_server_whose_certificate_names_another_service_is_not_believed(
    tmp_path, authority
):
    settings = GrpcSettings(tls=authority.issue(tmp_path / "payment", "payment"))
    async with wired(tmp_path, settings=settings) as ends:
        client = ends.client(await ends.serve(SampleShop(ends.runtime)))
        with pytest.raises(Unavailable):
            await client.put_unkeyed(Put(put_key="a"))


async def test_a_file_that_is_missing_is_named_and_nothing_is_started(tmp_path, authority):
    files = authority.issue(tmp_path / "sample", "sample")
    files.key.unlink()
    async with wired(tmp_path, settings=GrpcSettings(tls=files)) as ends:
        with pytest.raises(TlsFileUnreadable, match=r"key\.pem"):
            await ends.serve(SampleShop(ends.runtime))
