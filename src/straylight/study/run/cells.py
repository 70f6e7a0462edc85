"""The cells of a grid: each audit, and before it the training that it needs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from straylight.audit.plan import name_of
from straylight.cohort.reading import Reading
from straylight.core.code_version import code
from straylight.models.readers.python_function import PYTHON
from straylight.study.config.cost import of_audit, of_training
from straylight.study.config.grid import Entry, Grid
from straylight.study.run.cell import Cell, unique
from straylight.study.run.digests import MADE_BY
from straylight.training.recipe import PRETRAINED, RANDOM

Digest = Callable[[str, Reading | None], str]
Data = tuple[tuple[str, Reading | None, str], ...]  # specs, how they are read, and their digests


@dataclass(frozen=True)
class Inputs:
    """What a cell is run with: its part of the file, its data with their digests, and its threads."""

    entry: Entry
    digests: dict[str, str]
    threads: int
    data: Data = ()


def cells_of(grid: Grid, digest: Digest) -> list[Cell]:
    """Return the cells in an order in which each stands after those that it needs.

    Args:
        grid: The study's file.
        digest: Of the data behind a spec.

    Raises:
        InputError: If data are missing, or an attack cannot do with so many photographs; the message
            names the line.
    """
    found: list[Cell] = []
    for entry in grid.entries:
        with grid.document.at(entry.place):
            training = None if entry.recipe is None else training_of(entry, grid.threads, digest)
            found += [] if training is None else [training]
            found.append(audit_of(entry, training, grid.threads, digest))
    return unique(found)


def training_of(entry: Entry, threads: int, digest: Digest) -> Cell:
    """Return the training that an audit needs."""
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
            "code": code(),
        },
        inputs=Inputs(
            entry,
            {"training": data},
            threads,
            ((cohort.train, cohort.reading, data), *weights_of(weights, known)),
        ),
        labels={
            key: entry.labels[key]
            for key in ("cohort", "model", "initialisation", "training_seed")
            if key in entry.labels
        },
        cost=of_training(recipe, cohort.n_train, entry.model.throughput),
    )


def weights_of(weights: str, digest: str) -> Data:
    """Return a file of start weights as data, if it is one."""
    return () if weights in (PRETRAINED, RANDOM) else ((weights, None, digest),)


def audit_of(entry: Entry, training: Cell | None, threads: int, digest: Digest) -> Cell:
    """Return an audit."""
    cohort, model, plan = entry.cohort, entry.model, entry.plan
    oracle = any(method.source == "medical" for method in (*plan.untargeted, *plan.targeted))
    data = {
        "natural": (entry.natural, None),
        "cohort": (cohort.test, cohort.reading),
        "training": (cohort.train, cohort.reading) if oracle else None,
        "public": (entry.public, None) if entry.public else None,
        "model": (model.model, None) if model.model else None,
        "weights": (model.options.weights, None) if model.options.weights else None,
        # Its source is not all of it: it may read weights from wherever it likes.
        "made": (MADE_BY + model.model, None) if model.model.startswith(PYTHON) else None,
    }
    found = {name: item for name, item in data.items() if item is not None}
    digests = {name: digest(*item) for name, item in found.items()}
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
            "code": code(),
        },
        inputs=Inputs(
            entry, digests, threads, tuple((*item, digests[name]) for name, item in found.items())
        ),
        labels=entry.labels,
        methods=tuple(dict.fromkeys(name_of(m) for m in (*plan.untargeted, *plan.targeted))),
        needs=() if training is None else (training.id,),
        cost=of_audit(
            plan,
            cohort.classes,
            entry.photographs,
            n_train=cohort.n_train,
            n_test=cohort.n_test,
            throughput=model.throughput,
        ),
    )
