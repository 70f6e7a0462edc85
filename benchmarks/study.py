"""Measure the overhead of a study: milliseconds per cell, and seconds to read its status.

python benchmarks/study.py --cells 10000
"""

import argparse
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console

from straylight.audit.schema import Json
from straylight.core.progress import Tracker
from straylight.study.run.cell import Cell
from straylight.study.run.status import read_study_status
from straylight.study.run.study import run_study


def do_nothing(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
    """Do nothing."""
    return {"n": 0}


def main() -> None:
    """Run a study of trivial cells, run it again when all are finished, and read its status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cells", type=int, default=10_000)
    n = parser.parse_args().cells
    cells = [
        Cell(kind="nothing", identity={"k": k}, labels={"cohort": "c", "seed": k}) for k in range(n)
    ]
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder)
        for title in ("run", "found finished"):
            wall, cpu = time.perf_counter(), time.process_time()
            console = Console(file=StringIO())
            run_study("Nothing", lambda _: cells, study, console, work={"nothing": do_nothing})
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(
                f"{n} cells {title}: {1000 * wall / n:.2f} ms a cell, {1000 * cpu / n:.2f} of CPU"
            )
        wall, cpu = time.perf_counter(), time.process_time()
        counts = read_study_status(study).counts
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"status of {counts}: {wall:.3f} s, {cpu:.3f} of CPU")


if __name__ == "__main__":
    main()
