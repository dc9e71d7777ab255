"""Processes of one start trust each other's certificates, and nobody else's."""

import socket
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emporion.platform.supervisor.certificates import Authority, tls_files
from emporion.platform.topology.process_file import TlsFiles


def context(files: TlsFiles, purpose: ssl.Purpose) -> ssl.SSLContext:
    made = ssl.create_default_context(purpose, cafile=files.authority)
    made.load_cert_chain(files.certificate, files.key)
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def speak(server: TlsFiles, client: TlsFiles, name: str) -> bytes:
    """What a client hears from a server that it takes for `name`."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            with context(server, ssl.Purpose.CLIENT_AUTH).wrap_socket(
                theirs, server_side=True
            ) as wire:
                wire.sendall(b"hello")

        answering = pool.submit(answer)
        try:
            with context(client, ssl.Purpose.SERVER_AUTH).wrap_socket(
                ours, server_hostname=name
            ) as wire:
                heard = wire.recv(5)
        finally:
            ours.close()
        answering.result()
        return heard


@pytest.fixture
def issued(tmp_path: Path) -> Path:
    authority = Authority(tmp_path / "tls")
    authority.issue("core", ("order", "payment"))
    authority.issue("user", ("user",))
    return tmp_path / "tls"


@pytest.mark.parametrize("service", ["order", "payment"])
def test_a_process_is_known_by_the_services_that_it_holds(issued: Path, service: str) -> None:
    assert speak(tls_files(issued, "core"), tls_files(issued, "user"), service) == b"hello"


def test_a_process_cannot_pass_for_a_service_that_it_does_not_hold(issued: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        speak(tls_files(issued, "user"), tls_files(issued, "core"), "order")


def test_the_certificates_of_another_start_are_not_trusted(issued: Path, tmp_path: Path) -> None:
    Authority(tmp_path / "other").issue("user", ("user",))

    with pytest.raises(ssl.SSLError):
        speak(tls_files(issued, "core"), tls_files(tmp_path / "other", "user"), "order")


def test_keys_are_readable_by_the_owner_alone_and_that_of_the_authority_is_nowhere(
    issued: Path,
) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in issued.iterdir()}

    assert set(modes.values()) == {0o600}
    assert sorted(modes) == ["authority.pem", "core.key", "core.pem", "user.key", "user.pem"]
    assert "PRIVATE" not in (issued / "authority.pem").read_text()
