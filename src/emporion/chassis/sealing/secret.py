"""Makes keys for different purposes from the one secret of a shop."""

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 64


def derived(secret: str, purpose: str) -> bytes:
    """64 bytes that tell nothing of the secret, nor of those for another purpose (RFC 5869)."""
    kdf = HKDF(algorithm=SHA512(), length=KEY_BYTES, salt=None, info=purpose.encode())
    return kdf.derive(secret.encode())
