"""What the process asks of the C library's allocator."""

import ctypes
from typing import Final

M_ARENA_MAX: Final = -8
M_MMAP_THRESHOLD: Final = -3
"""See mallopt(3)."""
LARGE_BYTES: Final = 1024 * 1024


def be_frugal() -> bool:
    """Let all threads allocate from one heap; whether the C library knows how.

    By default glibc gives each of our two threads a database file a heap of its own, up to eight
    a core, and what one of them frees the others cannot use: 152 MB after a load that takes 115
    MB in one heap. They hold the interpreter while they allocate, so that none waits for another.

    What is larger than LARGE_BYTES goes back to the system when it is freed. By default glibc takes
    the first such block that is freed as a sign to keep the next ones in the heap, and each hash
    of a password (19 MiB) that something small is put behind stays there for good.

    Call it before any thread starts. Another C library (musl, macOS) manages without.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(
        mallopt(M_ARENA_MAX, 1) & mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    )
