"""Run one cell in its folder, completely or not at all."""

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
from straylight.core.files import make_inner_folder, remove_link, remove_partial_files, write_text
from straylight.core.progress import Tracker
from straylight.core.strict_json import seal_json
from straylight.study.run.cell import Cell, CellWork
from straylight.study.run.record import CELL_FILE, CELLS, read_cell_record

ERROR_FILE = "error.txt"
PARTIAL = ".partial"
DONE, FAILED, BLOCKED = "done", "failed", "blocked"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class Outcome:
    """The result of running a cell.

    Attributes:
        id: Id of the cell.
        state: ``done``, ``failed``, or ``blocked`` (a cell that it needs has failed).
        seconds: Wall time.
        error: Why it failed, in a sentence.
        figures: Its results.
        disk_full: It failed because the disk is full or read-only: no other cell can succeed.
    """

    id: str
    state: str
    seconds: float = 0.0
    error: str = ""
    figures: Json = field(default_factory=dict)
    disk_full: bool = False


def run_cell(cell: Cell, study: Path, work: CellWork, tracker: Tracker) -> Outcome:
    """Run a cell, unless it is finished, and return the outcome.

    The cell works in ``ID.partial``, where a killed cell resumes. `cell.json` is written last, and then
    the folder is renamed in one step: a folder without ``.partial`` is complete. A lock, which is
    released when its process dies, keeps a worker that outlived a killed study from working beside a
    new one.
    """
    folder = study / CELLS / cell.id
    partial = folder.with_name(cell.id + PARTIAL)
    started = time.perf_counter()
    try:
        make_inner_folder(partial.parent)
        make_inner_folder(partial)
        remove_link(partial / "lock")
        with _lock_file(partial / "lock"):
            os.utime(partial)  # a sign of life: see `ray_engine`
            if not folder.exists() and not (partial / CELL_FILE).exists():
                figures = work(cell, partial, study, tracker)
                record: Json = {"id": cell.id, "kind": cell.kind, "identity": cell.identity}
                record |= {"seconds": time.perf_counter() - started, "figures": figures}
                write_text(partial / CELL_FILE, seal_json(record))
        _finish_folder(partial, folder)
        return read_outcome(study, cell.id)
    except Exception as error:
        # Whatever a cell raises, the others continue; the error is reported, and its traceback kept.
        disk_full = _is_disk_full(error)
        with suppress(InputError):  # the outcome reports it anyway
            write_text(partial / ERROR_FILE, traceback.format_exc())
        seconds = time.perf_counter() - started
        return Outcome(cell.id, FAILED, seconds, _describe_failure(error), disk_full=disk_full)


def _lock_file(path: Path) -> FileLock:
    """Return a lock on a file.

    Raises:
        InputError: If the path exists and is not a file.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a file and cannot be used as a lock: delete it.")
    return FileLock(path)


def _finish_folder(partial: Path, folder: Path) -> None:
    """Rename a complete folder to its final name, unless another worker has done so."""
    if folder.exists():
        shutil.rmtree(partial, ignore_errors=True)
        return
    remove_partial_files(partial)
    for name in ("lock", ERROR_FILE):
        (partial / name).unlink(missing_ok=True)
    partial.rename(folder)


def read_outcome(study: Path, id: str) -> Outcome:
    """Read the outcome of a finished cell.

    Raises:
        InputError: If its record is missing or broken, or belongs to another cell.
    """
    record = read_cell_record(study, id)
    return Outcome(id, DONE, record["seconds"], figures=record["figures"])


def _describe_failure(error: BaseException) -> str:
    """Return in a sentence why a cell failed."""
    if isinstance(error, InputError):
        return str(error)
    text = " ".join(str(error).split())[:500]
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return (
            f"it ran out of memory ({text or 'MemoryError'}): fewer photographs or smaller images "
            "need less."
        )
    return f"{type(error).__name__}: {text}"


def _is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or one of its causes, is a full or read-only disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return True
        # NumPy and safetensors report it in words only.
        if re.search(r"\d+ requested and \d+ written|os error 28", str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
