"""A program on the leash ends with its supervisor, and one that cannot be run says why."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from emporion.platform.supervisor import leash

LEASH = (sys.executable, "-I", "-S", leash.__file__)
REFUSED = """
import os, sys
sys.path.insert(0, {folder!r})
import leash
os.geteuid = lambda: 0
leash._become_namesake = lambda libc: False
sys.exit(leash.main(os.getppid(), 15, root="namesake", network="", words=["/bin/true"]))
"""
SUPERVISOR = """
import os, subprocess, sys, time
words = [*{leash!r}, str(os.getpid()), "15", "keep", "", "/bin/sleep", "600"]
print(subprocess.Popen(words).pid, flush=True)
time.sleep(600)
"""


def test_it_is_the_program_itself_that_runs_in_the_end():
    words = (*LEASH, str(os.getpid()), "15", "keep", "", "/bin/sh", "-c", "echo $PPID")

    done = subprocess.run(words, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == str(os.getpid())


def test_a_program_whose_supervisor_is_killed_ends():
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR.format(leash=LEASH)], stdout=subprocess.PIPE, text=True
    )
    with supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        while psutil.Process(pid).name() != "sleep":
            assert supervisor.poll() is None
        program = os.pidfd_open(pid)
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait()

    # A handle of a process can be read when the process has ended.
    readable, _, _ = select.select([program], [], [], 20)
    os.close(program)
    assert readable


def test_a_program_whose_supervisor_is_gone_already_does_not_begin():
    words = (*LEASH, "1", "15", "keep", "", "/bin/echo", "began")

    done = subprocess.run(words, capture_output=True, text=True, check=True)

    assert done.stdout == ""


def test_a_program_that_is_not_there_is_named():
    words = (*LEASH, str(os.getpid()), "15", "keep", "", "/nowhere/server")

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (127, "/nowhere/server: No such file or directory\n")


def test_root_without_a_user_namespace_is_told_what_to_do():
    folder = str(Path(leash.__file__).parent)

    done = subprocess.run(
        [sys.executable, "-c", REFUSED.format(folder=folder)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 127
    assert "start the shop as an ordinary user" in done.stderr


def test_a_network_that_is_not_there_is_named():
    words = (*LEASH, str(os.getpid()), "15", "keep", "emporion-nowhere", "/bin/echo", "began")

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 127
    assert done.stderr.startswith("the network namespace emporion-nowhere: No such file")
    assert done.stdout == ""
