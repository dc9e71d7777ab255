"""Runs a topology whose processes are fakes, as `emporion up --topology` runs real ones."""

import sys
from pathlib import Path

from emporion.platform.settings import Settings
from emporion.platform.supervisor.run import run
from emporion.platform.topology.find import find_topology

FAKE = (sys.executable, str(Path(__file__).with_name("fake_process.py")))


def say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201 - it speaks as the program does


if __name__ == "__main__":
    run(
        find_topology(sys.argv[1]),
        Settings(port=int(sys.argv[3]), data=sys.argv[2]),
        say=say,
        announce=lambda url: say(f"open at {url}"),
        words=FAKE,
    )
    say("closed")
