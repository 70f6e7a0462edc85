"""The cells of a grid: every audit, preceded by the training that it needs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from straylight.cohort.manifest import Reading
from straylight.core.code_version import code_versions
from straylight.models.readers.python_function import PYTHON
from straylight.study.config.estimate import audit_cost, training_cost
from straylight.study.config.grid import AuditSpec, Grid
from straylight.study.run.cell import Cell, unique_cells
from straylight.study.run.digests import MADE_BY
from straylight.training.recipe import PRETRAINED, RANDOM

Digest = Callable[[str, Reading | None], str]
Data = tuple[tuple[str, Reading | None, str], ...]  # specs, how they are read, and their digests


@dataclass(frozen=True)
class CellInputs:
    """The inputs of a cell: its specification, its data with their digests, and its threads."""

    entry: AuditSpec
    digests: dict[str, str]
    threads: int
    data: Data = ()


def make_cells(grid: Grid, digest: Digest) -> list[Cell]:
    """Return the cells of a grid, each after the cells that it needs.

    Args:
        grid: The study's file.
        digest: Returns the digest of the data that a spec names.

    Raises:
        InputError: If data are missing, or if an attack cannot run on so many photographs; the message
            names the line.
    """
    cells: list[Cell] = []
    for entry in grid.entries:
        with grid.document.at(entry.place):
            training = (
                None if entry.recipe is None else _make_training_cell(entry, grid.threads, digest)
            )
            cells += [] if training is None else [training]
            cells.append(_make_audit_cell(entry, training, grid.threads, digest))
    return unique_cells(cells)


def _make_training_cell(entry: AuditSpec, threads: int, digest: Digest) -> Cell:
    """Return the cell of the training that an audit needs."""
    recipe, cohort = entry.recipe, entry.cohort
    assert recipe is not None
    weights = recipe.weights
    known = weights if weights in (PRETRAINED, RANDOM) else digest(weights, None)
    data = digest(cohort.train, cohort.reading)
    return Cell(
        kind="training",
        identity={
            "recipe": asdict(recipe) | {"weights": known},
            "data": data,
            "reading": asdict(cohort.reading) | {"root": ""},
            "classes": cohort.classes,
            "shape": entry.shape,
            "threads": threads,
            "code": code_versions(),
        },
        inputs=CellInputs(
            entry,
            {"training": data},
            threads,
            ((cohort.train, cohort.reading, data), *_locate_start_weights(weights, known)),
        ),
        labels={
            key: entry.labels[key]
            for key in ("cohort", "model", "initialisation", "training_seed")
            if key in entry.labels
        },
        cost=training_cost(recipe, cohort.n_train, entry.model.throughput),
    )


def _locate_start_weights(weights: str, digest: str) -> Data:
    """Return the start weights as data, if they are a file."""
    return () if weights in (PRETRAINED, RANDOM) else ((weights, None, digest),)


def _make_audit_cell(entry: AuditSpec, training: Cell | None, threads: int, digest: Digest) -> Cell:
    """Return the cell of an audit."""
    cohort, model, plan = entry.cohort, entry.model, entry.plan
    oracle = any(method.source == "medical" for method in (*plan.untargeted, *plan.targeted))
    data = {
        "natural": (entry.natural, None),
        "cohort": (cohort.test, cohort.reading),
        "training": (cohort.train, cohort.reading) if oracle else None,
        "public": (entry.public, None) if entry.public else None,
        "model": (model.model, None) if model.model else None,
        "weights": (model.options.weights, None) if model.options.weights else None,
        # Its source is not enough: it may read weights from anywhere.
        "made": (MADE_BY + model.model, None) if model.model.startswith(PYTHON) else None,
    }
    used = {name: item for name, item in data.items() if item is not None}
    digests = {name: digest(*item) for name, item in used.items()}
    return Cell(
        kind="audit",
        identity={
            "plan": plan.settings(),
            "photographs": entry.photographs,
            "classes": cohort.classes,
            "note": cohort.note,
            "threads": threads,
            "data": digests,
            "reading": asdict(cohort.reading) | {"root": ""},
            "options": asdict(model.options) | {"weights": ""},
            "trained": training and training.id,
            "code": code_versions(),
        },
        inputs=CellInputs(
            entry, digests, threads, tuple((*item, digests[name]) for name, item in used.items())
        ),
        labels=entry.labels,
        methods=tuple(dict.fromkeys(m.run_name for m in (*plan.untargeted, *plan.targeted))),
        needs=() if training is None else (training.id,),
        cost=audit_cost(
            plan,
            cohort.classes,
            entry.photographs,
            n_train=cohort.n_train,
            n_test=cohort.n_test,
            throughput=model.throughput,
        ),
    )
