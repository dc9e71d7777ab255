"""Mutual TLS from PEM files: both ends show a certificate that the same authority has signed."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from emporion.kernel.errors import FailedPrecondition


class TlsFileUnreadable(FailedPrecondition):
    """A PEM file cannot be read (field `path`)."""

    slug = "tls-file-unreadable"
    title = "A TLS file cannot be read"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where a process finds its certificate.

    Args:
        authority: the certificate of the authority that both ends trust.
        certificate, key: what this process shows; the certificate names the services that it
            serves (`order`) as DNS names, for it is these that clients ask for.
    """

    authority: Path
    certificate: Path
    key: Path

    def server(self) -> grpc.ServerCredentials:
        """For a server that refuses clients without a certificate. Raises TlsFileUnreadable."""
        pair = (_read(self.key), _read(self.certificate))
        return grpc.ssl_server_credentials([pair], _read(self.authority), require_client_auth=True)

    def client(self) -> grpc.ChannelCredentials:
        """For a client. Raises TlsFileUnreadable."""
        return grpc.ssl_channel_credentials(
            _read(self.authority), _read(self.key), _read(self.certificate)
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise TlsFileUnreadable(f"{path}: {reason}", path=str(path)) from error
