"""The dry run of a study: its cells and their expected cost."""

from pathlib import Path

from rich.console import Console

from straylight.core.errors import InputError, quote_text
from straylight.study.config.cost import CellCost, format_duration
from straylight.study.config.grid import Grid
from straylight.study.run.cells import make_cells
from straylight.study.run.digests import locate_data
from straylight.study.run.index import INDEX, StudyIndex


def print_dry_run(grid: Grid, study: Path, workers: int, out: Console) -> None:
    """Print the cells with their expected cost; no data are read, and they need not exist."""
    specs: set[str] = set()

    def name(spec: str, _: object) -> str:
        specs.add(spec)
        return spec

    cells = make_cells(grid, name)

    def say(line: str) -> None:
        out.print(line, markup=False, highlight=False, soft_wrap=True)

    say(f"{'image passes':>14}  {'time':>8}  cell")
    for cell in cells:
        say(f"{_format_passes(cell.cost):>14}  {_format_expected_time(cell.cost):>8}  {cell.name}")
    for kind in ("training", "audit"):
        some = [cell.cost for cell in cells if cell.kind == kind]
        total = sum(some, CellCost())
        time = _format_expected_time(total)
        say(f"{_format_passes(total):>14}  {time:>8}  all {len(some)} cells of kind {kind}")
    total = sum((cell.cost for cell in cells), CellCost())
    several = workers > 1 and total.seconds > 0
    each = f", {format_duration(total.seconds / workers)} with {workers} workers" if several else ""
    say(f"{total.passes:>14,}  {_format_expected_time(total):>8}  in all{each}")
    for line in _list_remarks(grid, study, total, specs):
        say(line)


def _list_remarks(grid: Grid, study: Path, total: CellCost, specs: set[str]) -> list[str]:
    """Return remarks: what the estimate is based on, and which data are missing."""
    lines = ["Time is for one worker at the throughput that the file states."]
    unstated = [name for name, model in grid.models.items() if model.throughput is None]
    if unstated:
        lines.append(f"No throughput is stated for {', '.join(unstated)}: their time is not in it.")
    used = {id(entry.cohort) for entry in grid.entries}
    trained = {id(entry.cohort) for entry in grid.entries if entry.recipe is not None}
    for key, of, work in (("n_train", trained, "training"), ("n_test", used, "scoring")):
        uncounted = [
            quote_text(name)
            for name, cohort in grid.cohorts.items()
            if id(cohort) in of and not getattr(cohort, key)
        ]
        if uncounted:
            lines.append(f"No {key} is stated for {', '.join(uncounted)}: {work} is not in it.")
    if (study / INDEX).exists():
        index = StudyIndex(study / INDEX)
        if (pace := index.pace()) is not None:
            measured = format_duration(total.seconds * pace)
            lines.append(
                f"Finished cells in {study} took {pace:.2f} of their estimate: {measured} in all."
            )
        index.close()
    if missing := sorted(spec for spec in specs if not _is_available(spec)):
        lines.append(f"Not here: {', '.join(missing)}.")
    return lines


def _format_passes(cost: CellCost) -> str:
    """Format a number of image passes, if it is known."""
    return f"{cost.passes:,}" if cost.passes else "not counted"


def _format_expected_time(cost: CellCost) -> str:
    """Format the expected time, if it is known."""
    return format_duration(cost.seconds) if cost.seconds else "?"


def _is_available(spec: str) -> bool:
    """Return whether the data behind a spec exist."""
    try:
        locate_data(spec)
    except InputError:
        return False
    return True
