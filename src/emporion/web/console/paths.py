"""Which addresses are the console's: known before anything of it is loaded."""

from typing import Final

ROOT: Final = "/console"
_RESTS: Final = (
    "",
    "/{section}",
    "/{section}/{of}",
    "/{section}/{of}/{part}",
    "/{section}/{of}/{part}/{deed}",
)
PATHS: Final = tuple((verb, ROOT + rest) for rest in _RESTS for verb in ("GET", "POST"))
"""Verb and template of each; which page it is, the console knows."""
