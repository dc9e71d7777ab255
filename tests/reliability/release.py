"""Another release of this program in a folder of its own, which can be changed while it runs."""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.system.running import COMMAND, ROOT


@dataclass(frozen=True, slots=True)
class Release:
    """A copy of the program and an environment that runs it, with the libraries of this one.

    A process keeps the code it was started with: what starts after `change` is newer than what
    ran before, as after an upgrade in place.
    """

    folder: Path

    @classmethod
    def copied_to(cls, folder: Path) -> Self:
        """This checkout as it is."""
        for name in ("src", "contracts"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        environment = folder / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        libraries = sysconfig.get_path("purelib", vars={"base": str(environment)})
        paths = (str(folder / "src"), sysconfig.get_path("purelib"))
        (Path(libraries) / "release.pth").write_text("\n".join(paths))
        for program in Path(sysconfig.get_path("scripts")).iterdir():
            here = environment / "bin" / program.name
            if not here.exists():
                here.symlink_to(program)  # the engines' servers
        return cls(folder)

    @property
    def command(self) -> tuple[str, ...]:
        """What runs it, as COMMAND runs this checkout."""
        return (str(self.folder / "environment" / "bin" / "python"), *COMMAND[1:])

    def change(self, changes: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        """Make a newer release in the same place: of each file what is replaced, and by what.

        Its contracts are published anew, which fails on a breaking change.
        """
        for name, replaced in changes.items():
            file = self.folder / "src" / "emporion" / name
            text = file.read_text()
            for old, new in replaced:
                assert text.count(old) == 1, (name, old)
                text = text.replace(old, new)
            file.write_text(text)
        generate = (*self.command, "contracts", "generate")
        subprocess.run(generate, cwd=self.folder, check=True, capture_output=True)
