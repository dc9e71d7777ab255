"""Writes the stacks as CloudFormation that people can read, and says which files are stale.

Needs the extra `deploy` and Node.js: the AWS CDK runs on it. The output depends on the deployment
alone, so that what is committed can be compared.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import yaml

from emporion.kernel.errors import FailedPrecondition
from emporion.platform.deploy.deployment import Deployment

FOLDER: Final = Path("deploy/cloudformation")
HEADER: Final = "# Made by `emporion deploy synth` from topology and service.yaml; do not edit.\n"
WIDTH: Final = 120
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The quick one, where PyYAML was built with it."""


class NoSynth(FailedPrecondition):
    """What synthesis needs is not installed."""

    slug = "no-synth"
    title = "Templates cannot be made here"


def synthesize(deployment: Deployment) -> dict[str, str]:
    """The text of each template by its file's name. Raises NoSynth."""
    if shutil.which("node") is None:
        raise NoSynth("the AWS CDK runs on Node.js: install version 22 or newer")
    try:
        from emporion.platform.deploy.stacks.app import build  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise NoSynth(
            f"{error.name} is not installed; make synth, or pip install 'emporion[deploy]'"
        ) from error
    with TemporaryDirectory() as folder:
        build(deployment, Path(folder)).synth()
        return {
            f"{path.name.partition('.')[0]}.yaml": readable(msgspec.json.decode(path.read_bytes()))
            for path in sorted(Path(folder).glob("*.template.json"))
        }


def readable(template: Mapping[str, Any]) -> str:
    """A template as YAML, long form of functions, in the order in which it was made."""
    text = yaml.safe_dump(
        template, sort_keys=False, width=WIDTH, allow_unicode=True, default_flow_style=False
    )
    return HEADER + text


def write(templates: Mapping[str, str], folder: Path = FOLDER) -> list[Path]:
    """Make the folder hold these templates and no others; which files changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in templates.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(path)
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in templates:
            path.unlink()
            changed.append(path)
    return changed


def stale(templates: Mapping[str, str], folder: Path = FOLDER) -> list[str]:
    """What in the folder is not as it would be written, a sentence each."""
    found = []
    for name, text in templates.items():
        path = folder / name
        if not path.exists():
            found.append(f"{path} is missing")
        elif path.read_text("utf-8") != text:
            found.append(f"{path} is stale")
    return [
        *found,
        *(
            f"{path} has no stack"
            for path in sorted(folder.glob("*.yaml"))
            if path.name not in templates
        ),
    ]


def read(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The committed templates, by the name of their file without its ending."""
    return {
        path.stem: yaml.load(path.read_text("utf-8"), Loader=_LOADER)  # noqa: S506 - a safe one
        for path in sorted(folder.glob("*.yaml"))
    }
