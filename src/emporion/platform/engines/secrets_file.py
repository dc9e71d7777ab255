"""The generated passwords of a shop on one machine: made once, readable by the owner alone."""

import secrets
from pathlib import Path
from typing import Final, Self

import msgspec

from emporion.kernel.errors import FailedPrecondition
from emporion.platform.topology.process_file import write_privately

FILE: Final = "secrets.json"
ENTROPY_BYTES: Final = 32


class SecretsUnreadable(FailedPrecondition):
    """The file of passwords is there and cannot be used: new ones would lock the data away."""

    slug = "secrets-unreadable"
    title = "The passwords of the engines cannot be read"


class SecretsFile:
    """Passwords by name. A name that is asked for the first time gets a new one, kept for good."""

    def __init__(self, path: Path, known: dict[str, str]) -> None:
        self._path = path
        self._known = known

    @classmethod
    def open(cls, data: Path) -> Self:
        """Those of a data folder. Raises SecretsUnreadable."""
        path = data / FILE
        try:
            known = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            known = {}
        except (OSError, msgspec.MsgspecError) as error:
            raise SecretsUnreadable(
                f"{path} cannot be read; put it back from a copy, the engines' data needs it"
            ) from error
        return cls(path, known)

    def of(self, name: str) -> str:
        """The password of that name: URL-safe, ENTROPY_BYTES of entropy; on disk before it is used.

        Raises OSError when it cannot be kept.
        """
        if name not in self._known:
            self._keep({**self._known, name: secrets.token_urlsafe(ENTROPY_BYTES)})
        return self._known[name]

    def known(self, name: str) -> str:
        """The password of that name, or nothing if there is none."""
        return self._known.get(name, "")

    def succeed(self, name: str, before: str) -> None:
        """Generate another password of that name; the one so far is called `before` from now on.

        Both at once. Raises OSError when it cannot be kept: then nothing has changed.
        """
        fresh = secrets.token_urlsafe(ENTROPY_BYTES)
        self._keep({**self._known, before: self.of(name), name: fresh})

    def forget(self, name: str) -> None:
        """Keep the password of that name no longer. Raises OSError."""
        self._keep({key: value for key, value in self._known.items() if key != name})

    def _keep(self, known: dict[str, str]) -> None:
        write_privately(self._path, msgspec.json.encode(known))
        self._known = known
