"""What the process asks of the C library's allocator."""

import ctypes
from typing import Final

M_ARENA_MAX: Final = -8
"""See mallopt(3)."""


def share_one_arena() -> bool:
    """Let all threads allocate from one place; whether the C library knows how.

    By default glibc gives each of our two threads a database file a heap of its own, up to eight
    a core, and what one of them frees the others cannot use: 152 MB after a load that takes 115
    MB in one heap. They hold the interpreter while they allocate, so that none waits for another.
    Call it before any thread starts. Another C library (musl, macOS) manages without.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(M_ARENA_MAX, 1) == 1
