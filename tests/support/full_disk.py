"""A full disk, as a limit on the size of files."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

from straylight.core.errors import InputError


def refusal_in_child(act: Callable[[], object], told: Path) -> str:
    """Do something in a process of its own; return its refusal."""
    child = os.fork()
    if not child:
        try:
            act()
            text = "nothing was refused"
        except InputError as error:
            text = str(error)
        except BaseException as error:
            text = f"crashed: {error!r}"
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (-1, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        )
        os._exit(7 if not told.write_text(text) else 0)
    os.waitpid(child, 0)
    return told.read_text()


def with_room(size: int, act: Callable[[], object]) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    act()
