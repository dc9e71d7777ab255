"""The secret behind what the shop keeps of people: set, or generated once for a data folder."""

import os
from pathlib import Path
from typing import Final

from emporion.chassis.sealing.secret import OTHER_SETTING, SETTING, PrivacyKeys
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.settings import PREFIX, Settings, UnknownSetting, secret_of

NAME: Final = "privacy"
OTHER_NAME: Final = "privacy-other"
"""In the file of generated secrets: the one that counts, and that from before, while it is used."""


def privacy_keys(settings: Settings, secrets: SecretsFile, *, is_sole: bool) -> PrivacyKeys:
    """What is set, or else what was generated, where nobody else would generate another.

    Raises UnknownSetting when one is set both ways, its file cannot be read, or it is set in
    neither way and cannot be generated; OSError when a new one cannot be kept.
    """
    key, other = secret_of(settings, SETTING), secret_of(settings, OTHER_SETTING)
    if not key and not is_sole:
        raise UnknownSetting(f"{SETTING} or {SETTING}_file: set it, alike in all instances")
    if not key:
        key, other = secrets.of(NAME), other or secrets.known(OTHER_NAME)
    return PrivacyKeys.of({SETTING: key, OTHER_SETTING: other})


def known_keys(settings: Settings, secrets: SecretsFile) -> PrivacyKeys | None:
    """The same, for looking only: None where there is none yet. Raises UnknownSetting."""
    has_own = secret_of(settings, SETTING) or secrets.known(NAME)
    return privacy_keys(settings, secrets, is_sole=True) if has_own else None


def is_set(settings: Settings) -> bool:
    """Whether the secret is set, and so not generated. Raises UnknownSetting."""
    return bool(secret_of(settings, SETTING))


def settings_of(folder: Path) -> Settings:
    """For opening the files of a shop that does not run: with its secrets, else as by default."""

    def told(name: str) -> str:
        return os.environ.get(f"{PREFIX}{name.upper()}", "")

    return Settings(
        data=str(folder),
        privacy_key=told(SETTING),
        privacy_key_file=told(f"{SETTING}_file"),
        privacy_key_other=told(OTHER_SETTING),
        privacy_key_other_file=told(f"{OTHER_SETTING}_file"),
    )
