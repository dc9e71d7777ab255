"""The allocator of a process with many threads."""

import subprocess
import sys

HEAPS = """
import ctypes, sys, threading
from emporion.platform.memory import share_one_arena
if sys.argv[1] == "one":
    assert share_one_arena()
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


def heaps(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", HEAPS, how], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.count("<heap ")


def test_all_threads_of_a_process_share_one_heap():
    assert heaps("many") > 1
    assert heaps("one") == 1
