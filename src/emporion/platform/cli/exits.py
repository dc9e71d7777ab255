"""How a command ends: its exit codes, and the one line it leaves behind."""

import sys
from typing import NoReturn

PROBLEM = 1
USAGE = 2
INTERRUPTED = 130
"""The shell's own code for Ctrl-C: 128 + SIGINT."""


def say(message: str) -> None:
    """A message to the person, on standard error."""
    print(message, file=sys.stderr, flush=True)


def refuse(message: str, *, code: int = USAGE) -> NoReturn:
    """End with one line that says what is wrong and what to do next."""
    say(message)
    sys.exit(code)
