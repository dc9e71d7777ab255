"""The secret behind what the shop keeps of people: set, or generated once for a data folder."""

import os
from pathlib import Path
from typing import Final

from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.settings import PREFIX, Settings, UnknownSetting, secret_of

NAME: Final = "privacy"
"""In the file of generated secrets."""


def privacy_key(settings: Settings, secrets: SecretsFile, *, is_sole: bool) -> str:
    """What is set, or else the generated one, where nobody else would generate another.

    Raises UnknownSetting when it is set both ways, its file cannot be read, or it is set in neither
    way and cannot be generated; OSError when a new one cannot be kept.
    """
    key = secret_of(settings, "privacy_key")
    if not key and not is_sole:
        raise UnknownSetting("privacy_key or privacy_key_file: set it, alike in all instances")
    return key or secrets.of(NAME)


def settings_of(folder: Path) -> Settings:
    """For opening the files of a shop that does not run: with its secret, else as by default."""
    return Settings(
        data=str(folder),
        privacy_key=os.environ.get(f"{PREFIX}PRIVACY_KEY", ""),
        privacy_key_file=os.environ.get(f"{PREFIX}PRIVACY_KEY_FILE", ""),
    )
