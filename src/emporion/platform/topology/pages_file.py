"""What the supervisor tells the process that shows the pages of a split shop."""

from pathlib import Path
from typing import Self

import msgspec

from emporion.platform.settings import Settings
from emporion.platform.topology.process_file import BadProcessFile, write_privately


class PagesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that process needs to know; there is no secret in it.

    Args:
        process, instance: its name, and that with a number; unique in the shop.
        shop: the URL of the edge, which it asks as each visitor.
        settings: `host`, `port` are where it serves; only what pages depend on is set.
        trusted_proxies: addresses (comma-separated) whose X-Forwarded-For is believed.
        listening_file: see ProcessFile.
        drain_grace_s: see ProcessFile.
        log_file: where its standard output and error go already.
    """

    process: str
    instance: str
    shop: str
    settings: Settings
    trusted_proxies: str = ""
    listening_file: str
    drain_grace_s: float = 1.0
    log_file: str = ""

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        write_privately(path, msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises BadProcessFile."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise BadProcessFile(f"{path}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise BadProcessFile(f"{path}: {error}") from None
