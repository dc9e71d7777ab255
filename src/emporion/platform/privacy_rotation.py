"""Puts a new generated privacy_key in the old one's place; that stays while it is needed."""

from pathlib import Path

from emporion.kernel.errors import FailedPrecondition
from emporion.platform.data_folder import DataFolder
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.privacy import NAME, OTHER_NAME, is_set, settings_of
from emporion.platform.privacy_standing import standing
from emporion.platform.reading.refusals import NoShopHere


class NotRotatable(FailedPrecondition):
    """The privacy_key of this shop cannot be rotated here, or not now."""

    slug = "not-rotatable"
    title = "The privacy_key cannot be rotated"


class StillNeeded(FailedPrecondition):
    """Something was made with the secret from before and not yet made again."""

    slug = "privacy-key-needed"
    title = "The privacy_key from before is still needed"


def begin_rotation(folder: Path) -> None:
    """Generate another secret for the shop of that folder, which must not run.

    Raises NoShopHere, NotRotatable, FolderInUse, and OSError when it cannot be kept: then nothing
    has changed.
    """
    with DataFolder(_existing(folder)):
        secrets = _generated(folder)
        if secrets.known(OTHER_NAME):
            raise NotRotatable("it is under way: start the shop, then rotate with --finish")
        secrets.succeed(NAME, OTHER_NAME)


async def finish_rotation(folder: Path) -> None:
    """Forget the secret from before, running or not. Raises as above, and StillNeeded."""
    secrets = _generated(_existing(folder))
    if not secrets.known(OTHER_NAME):
        raise NotRotatable("none is under way")
    made = [each for each in await standing(folder) if each.to_do and each.is_made]
    if made:
        left = "; ".join(f"{each.what}: {each.number:,}" for each in made)
        raise StillNeeded(f"the privacy_key from before is still needed: {left}")
    secrets.forget(OTHER_NAME)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise NoShopHere(f"{folder}: there is no such folder; give the shop's with --data DIR")
    return folder


def _generated(folder: Path) -> SecretsFile:
    if is_set(settings_of(folder)):
        raise NotRotatable(
            "it is set and not generated: set another, and this as privacy_key_other"
        )
    secrets = SecretsFile.open(folder)
    if not secrets.known(NAME):
        raise NotRotatable("none was generated here: is privacy_key set in the shop's settings?")
    return secrets
