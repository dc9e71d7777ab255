"""What the console costs a process in which nobody looks at it: nothing but its addresses."""

import subprocess
import sys

_LOADED = """
import sys
import emporion.platform.front
pages = ("emporion.web.console.front", "emporion.web.console.sections", "emporion.web.site")
print([name for name in sys.modules if name.startswith(pages)])
"""


def test_a_process_that_shows_no_page_of_the_console_does_not_carry_it():
    told = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True
    )

    assert told.stdout == "[]\n"
