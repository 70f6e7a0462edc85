"""One cell run in its folder, whole or not at all."""

import errno
import os
import re
import shutil
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from straylight.audit.schema import Json
from straylight.core.errors import InputError
from straylight.core.files import make_inner_folder, remove_link, sweep, write_text
from straylight.core.progress import Tracker
from straylight.core.strict_json import sealed
from straylight.study.run.cell import Cell
from straylight.study.run.record import CELL_FILE, CELLS, read_record
from straylight.study.run.work import Work

ERROR_FILE = "error.txt"
PARTIAL = ".partial"
DONE, FAILED, BLOCKED = "done", "failed", "blocked"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class Outcome:
    """How a cell ended.

    Attributes:
        id: The cell's.
        state: ``done``, ``failed``, or ``blocked`` (a cell that it needs has failed).
        seconds: It took.
        error: Why it failed, in a sentence.
        figures: What it found.
        no_room: It failed since nothing more can be written: no other cell will do better.
    """

    id: str
    state: str
    seconds: float = 0.0
    error: str = ""
    figures: Json = field(default_factory=dict)
    no_room: bool = False


def run_cell(cell: Cell, study: Path, work: Work, tracker: Tracker) -> Outcome:
    """Run a cell, unless it is there, and say how it ended.

    It works in ``ID.partial``, where a killed cell goes on. `cell.json` is written last, and then the
    folder gets its name in one step: a folder without ``.partial`` is whole. A lock, which dies with
    its process, keeps a worker that outlived a killed study from working beside a new one.
    """
    folder = study / CELLS / cell.id
    partial = folder.with_name(cell.id + PARTIAL)
    started = time.perf_counter()
    try:
        make_inner_folder(partial.parent)
        make_inner_folder(partial)
        remove_link(partial / "lock")
        with usable(partial / "lock"):
            os.utime(partial)  # it runs: see `ray_engine`
            if not folder.exists() and not (partial / CELL_FILE).exists():
                figures = work(cell, partial, study, tracker)
                record: Json = {"id": cell.id, "kind": cell.kind, "identity": cell.identity}
                record |= {"seconds": time.perf_counter() - started, "figures": figures}
                write_text(partial / CELL_FILE, sealed(record))
        finish(partial, folder)
        return read_outcome(study, cell.id)
    except Exception as error:
        # Whatever a cell raises, the others go on; it is told, and kept with its traceback.
        no_room = is_no_room(error)
        with suppress(InputError):  # it is told all the same
            write_text(partial / ERROR_FILE, traceback.format_exc())
        seconds = time.perf_counter() - started
        return Outcome(cell.id, FAILED, seconds, describe(error), no_room=no_room)


def usable(path: Path) -> FileLock:
    """Return a lock on a file.

    Raises:
        InputError: If something that is not a file stands in its place.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a file, and cannot be used as a lock: delete it.")
    return FileLock(path)


def finish(partial: Path, folder: Path) -> None:
    """Give a whole folder its name, unless another worker has done so."""
    if folder.exists():
        shutil.rmtree(partial, ignore_errors=True)
        return
    sweep(partial)
    for name in ("lock", ERROR_FILE):
        (partial / name).unlink(missing_ok=True)
    partial.rename(folder)


def read_outcome(study: Path, id: str) -> Outcome:
    """Read a finished cell.

    Raises:
        InputError: If its record is missing, broken, or that of another cell.
    """
    record = read_record(study, id)
    return Outcome(id, DONE, record["seconds"], figures=record["figures"])


def describe(error: BaseException) -> str:
    """Say in a sentence why a cell failed."""
    if isinstance(error, InputError):
        return str(error)
    text = " ".join(str(error).split())[:500]
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        said = text or "MemoryError"
        return f"it ran out of memory ({said}): fewer photographs or smaller images need less."
    return f"{type(error).__name__}: {text}"


def is_no_room(error: BaseException | None) -> bool:
    """Return whether an error, or what it comes from, is a disk that takes no more."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return True
        # NumPy and safetensors say it in words only.
        if re.search(r"\d+ requested and \d+ written|os error 28", str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
