"""Certificates for mutual TLS between the processes of one shop."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

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


@dataclass(frozen=True, slots=True)
class Issued:
    """What a process shows, and whom it trusts, as PEM."""

    authority: str
    certificate: str
    key: str

    def write(self, files: TlsFiles) -> None:
        """Write the files, readable by their owner alone. Raises OSError."""
        Path(files.authority).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_privately(Path(files.authority), self.authority.encode())
        write_privately(Path(files.certificate), self.certificate.encode())
        write_privately(Path(files.key), self.key.encode())


class Signer:
    """The authority of a shop: whose certificates its processes trust.

    Args:
        key, certificate: its own.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @classmethod
    def new(cls, *, valid_days: int = VALID_DAYS) -> Self:
        """A new one, which signs itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "emporion")])
        builder = _builder(name, name, key.public_key(), valid_days=valid_days)
        certificate = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        ).sign(key, hashes.SHA256())
        return cls(key, certificate)

    @classmethod
    def from_stored(cls, key: str, certificate: str) -> Self:
        """The one of these PEM texts. Raises ValueError when they are none."""
        read = serialization.load_pem_private_key(key.encode(), password=None)
        if not isinstance(read, ec.EllipticCurvePrivateKey):
            raise TypeError("the key of the authority is of another kind")
        return cls(read, x509.load_pem_x509_certificate(certificate.encode()))

    @property
    def certificate(self) -> str:
        """What everybody has to trust, as PEM."""
        return _pem(self._certificate)

    @property
    def key(self) -> str:
        """What makes it the authority, as PEM: a secret."""
        return _private(self._key)

    def issue(self, process: str, services: Sequence[str]) -> Issued:
        """For a process that answers for `services`, good for VALID_DAYS."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, process)])
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        names = x509.SubjectAlternativeName([x509.DNSName(service) for service in services])
        certificate = (
            _builder(name, self._certificate.subject, key.public_key(), valid_days=VALID_DAYS)
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Issued(self.certificate, _pem(certificate), _private(key))


class Authority:
    """Signs the certificates of one start. Its key is never written down: nobody can add one later.

    Args:
        folder: where the certificates go, each beside its key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._signer = Signer.new()

    def issue(self, process: str, services: Sequence[str]) -> None:
        """Write the files of a process that answers for `services`, good for VALID_DAYS."""
        self._signer.issue(process, services).write(tls_files(self._folder, process))


def ends_at(certificate: Path) -> dt.datetime:
    """Until when a certificate is good. Raises OSError, or ValueError when it is none."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, valid_days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(tz=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER_BY)
        .not_valid_after(now + dt.timedelta(days=valid_days))
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
