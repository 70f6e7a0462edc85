"""Freed memory kept for the next step."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = -1


def keep_freed_memory() -> None:
    """Have the C library keep the memory of freed tensors, where it is glibc.

    By default glibc maps every large block anew and gives it back when it is freed, so that each step
    of an attack has the kernel clear the same pages again: two fifths of the CPU time of a forward and
    backward pass (`benchmarks/memory.py`). The figures do not change. `man 3 mallopt`.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)
