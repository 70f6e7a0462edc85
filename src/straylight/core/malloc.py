"""Keep freed memory in the process for the next step."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = -1


def keep_freed_memory() -> None:
    """Make glibc keep the memory of freed tensors.

    By default glibc maps every large block anew and returns it when it is freed, so the kernel clears
    the same pages again in each step of an attack: two fifths of the CPU time of a forward and
    backward pass (`benchmarks/memory.py`). The results do not change. `man 3 mallopt`.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)
