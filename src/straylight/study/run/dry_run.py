"""What a study would do and take, before anything is run."""

from pathlib import Path

from rich.console import Console

from straylight.core.errors import InputError, quoted
from straylight.study.config.cost import Cost
from straylight.study.config.grid import Grid
from straylight.study.run.cells import cells_of
from straylight.study.run.console import span
from straylight.study.run.digests import locate
from straylight.study.run.index import INDEX, Index


def dry_run(grid: Grid, study: Path, workers: int, out: Console) -> None:
    """List the cells with their expected cost; no data are read, and they need not be there."""
    specs: set[str] = set()

    def name(spec: str, _: object) -> str:
        specs.add(spec)
        return spec

    cells = cells_of(grid, name)

    def say(line: str) -> None:
        out.print(line, markup=False, highlight=False, soft_wrap=True)

    say(f"{'image passes':>14}  {'time':>8}  cell")
    for cell in cells:
        say(f"{counted(cell.cost):>14}  {written(cell.cost):>8}  {cell.name}")
    for kind in ("training", "audit"):
        some = [cell.cost for cell in cells if cell.kind == kind]
        total = sum(some, Cost())
        say(f"{counted(total):>14}  {written(total):>8}  all {len(some)} cells of kind {kind}")
    total = sum((cell.cost for cell in cells), Cost())
    several = workers > 1 and total.seconds > 0
    each = f", {span(total.seconds / workers)} with {workers} workers" if several else ""
    say(f"{total.passes:>14,}  {written(total):>8}  in all{each}")
    for line in remarks(grid, study, total, specs):
        say(line)


def remarks(grid: Grid, study: Path, total: Cost, specs: set[str]) -> list[str]:
    """Say what the estimate rests on, and what is missing."""
    lines = ["Time is for one worker at the throughput that the file states."]
    unstated = [name for name, model in grid.models.items() if model.throughput is None]
    if unstated:
        lines.append(f"No throughput is stated for {', '.join(unstated)}: their time is not in it.")
    used = {id(entry.cohort) for entry in grid.entries}
    trained = {id(entry.cohort) for entry in grid.entries if entry.recipe is not None}
    for key, of, work in (("n_train", trained, "training"), ("n_test", used, "scoring")):
        uncounted = [
            quoted(name)
            for name, cohort in grid.cohorts.items()
            if id(cohort) in of and not getattr(cohort, key)
        ]
        if uncounted:
            lines.append(f"No {key} is stated for {', '.join(uncounted)}: {work} is not in it.")
    if (study / INDEX).exists():
        index = Index(study / INDEX)
        if (pace := index.pace()) is not None:
            measured = span(total.seconds * pace)
            lines.append(
                f"Finished cells in {study} took {pace:.2f} of their estimate: {measured} in all."
            )
        index.close()
    if missing := sorted(spec for spec in specs if not is_there(spec)):
        lines.append(f"Not here: {', '.join(missing)}.")
    return lines


def counted(cost: Cost) -> str:
    """Write how many passes there are, if they can be counted."""
    return f"{cost.passes:,}" if cost.passes else "not counted"


def written(cost: Cost) -> str:
    """Write a time, if one is known."""
    return span(cost.seconds) if cost.seconds else "?"


def is_there(spec: str) -> bool:
    """Return whether data can be found."""
    try:
        locate(spec)
    except InputError:
        return False
    return True
