"""Quiet for libraries in C that say what they think of a file on the error stream."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ERRORS = 2  # the descriptor that C libraries write to, whatever `sys.stderr` is
ONE_AT_A_TIME = threading.Lock()


@contextmanager
def unheard() -> Iterator[None]:
    """Send the error stream nowhere for the time of a context."""
    with ONE_AT_A_TIME:
        kept, nowhere = os.dup(ERRORS), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, ERRORS)
            yield
        finally:
            os.dup2(kept, ERRORS)
            os.close(kept)
            os.close(nowhere)
