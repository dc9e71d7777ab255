"""Certificates for mutual TLS between the processes of one shop on one machine."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from emporion.platform.topology.process_file import TlsFiles, write_privately

VALID_DAYS: Final = 397
_CLOCKS_DIFFER_BY: Final = dt.timedelta(hours=1)


def tls_files(folder: Path, process: str) -> TlsFiles:
    """Where the files of a process are."""
    return TlsFiles(
        authority=str(folder / "authority.pem"),
        certificate=str(folder / f"{process}.pem"),
        key=str(folder / f"{process}.key"),
    )


class Authority:
    """Signs the certificates of one start. Its key is never written down: nobody can add one later.

    Args:
        folder: where the certificates go, each beside its key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "emporion")])
        builder = self._builder(self._name, self._key.public_key())
        self._certificate = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        ).sign(self._key, hashes.SHA256())
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def issue(self, process: str, services: Sequence[str]) -> None:
        """Write the files of a process that answers for `services`, good for VALID_DAYS."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, process)])
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        names = x509.SubjectAlternativeName([x509.DNSName(service) for service in services])
        certificate = (
            self._builder(name, key.public_key())
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        files = tls_files(self._folder, process)
        write_privately(Path(files.authority), _pem(self._certificate))
        write_privately(Path(files.certificate), _pem(certificate))
        write_privately(Path(files.key), private)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(tz=dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCKS_DIFFER_BY)
            .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
