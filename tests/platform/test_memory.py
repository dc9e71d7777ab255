"""The allocator of a process with many threads."""

import subprocess
import sys

PREPARED = """
import ctypes, sys, threading
from emporion.platform.memory import be_frugal
if sys.argv[1] == "frugal":
    assert be_frugal()
"""
HEAPS = """
stay = threading.Barrier(9)
def hold():
    kept = [bytearray(2_000) for _ in range(1_000)]
    stay.wait()
    stay.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for each in threads:
    each.start()
stay.wait()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
stay.wait()
"""
HASHES = """
def resident_mb():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * 4096 / 1e6
kept = []
before = resident_mb()
for size in (20, 19, 19):  # as passwords are hashed, with something small made meanwhile
    block = bytearray(size * 1024 * 1024)
    block[:] = bytes(len(block))
    kept.append([bytearray(600) for _ in range(200)])
    del block
print(resident_mb() - before)
"""


def said(what: str, how: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PREPARED + what, how],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_all_threads_of_a_process_share_one_heap():
    assert said(HEAPS, "usual").count("<heap ") > 1
    assert said(HEAPS, "frugal").count("<heap ") == 1


def test_what_is_large_goes_back_to_the_system():
    assert float(said(HASHES, "usual")) > 15
    assert float(said(HASHES, "frugal")) < 5
