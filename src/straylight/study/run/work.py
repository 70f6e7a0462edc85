"""What the cells of a study do: `finetune` and `audit`."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from straylight.attacks.catalogue import ATTACKS
from straylight.attacks.methods import describe
from straylight.audit.finished import check_files
from straylight.audit.results import Audit, Perturbation
from straylight.audit.run import run
from straylight.audit.schema import Json
from straylight.audit.storage import AUDIT_FILE, load_audit
from straylight.audit.unfinished import LEDGER_FILE, PREDICTIONS, remove
from straylight.cohort.load import Cohort, load_cohort
from straylight.cohort.reading import Reading
from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.files import read_array
from straylight.core.progress import Tracker
from straylight.core.tensors import Shape
from straylight.data.images import ImageSet
from straylight.data.photographs.load import load_natural
from straylight.models.card import CARD_FILE, load_classifier
from straylight.models.load import load_model
from straylight.report.render import write_report
from straylight.study.run.cell import Cell
from straylight.study.run.cells import Inputs
from straylight.study.run.digests import check_unchanged
from straylight.study.run.record import digests_of_model, is_trained, keep_trained, trained_folder
from straylight.training.epochs import CHECKPOINT
from straylight.training.finetune import finetune, public_network

# Runs a cell in its folder of a study's folder, and returns its figures; called again after a kill,
# it goes on.
Work = Callable[[Cell, Path, Path, Tracker], Json]
KEPT = 4  # data sets of each kind in a process's memory: neighbouring cells share theirs


@lru_cache(maxsize=KEPT)
def photographs(spec: str, digest: str, shape: Shape, n: int, seed: int) -> ImageSet:
    """Load photographs, or return those that this process has loaded; `digest` tells them apart."""
    return load_natural(spec, shape, n=n, seed=seed)


@lru_cache(maxsize=KEPT)
def medical(
    spec: str, digest: str, shape: Shape, classes: tuple[str, ...], reading: Reading
) -> Cohort:
    """Load medical images, or return those that this process has loaded."""
    return load_cohort(spec, shape, classes, reading=reading)


def train(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
    """Train a classifier."""
    inputs: Inputs = cell.inputs
    entry, cohort = inputs.entry, inputs.entry.cohort
    assert entry.recipe is not None
    torch.set_num_threads(inputs.threads)
    if (folder / CHECKPOINT).exists() or not is_trained(folder):
        if not (folder / CHECKPOINT).exists():
            remove(folder / CARD_FILE)  # nothing says that it is the one that was written here
        data = medical(
            cohort.train, inputs.digests["training"], entry.shape, cohort.classes, cohort.reading
        )
        check_unchanged(inputs.data)
        finetune(data, entry.recipe, folder, tracker)
        keep_trained(folder)
    history = load_classifier(folder).card["training"]["history"]
    best = max(epoch["validation_accuracy"] for epoch in history)
    return {"validation_accuracy": best, "files": digests_of_model(folder)}


def audit(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
    """Audit a classifier."""
    inputs: Inputs = cell.inputs
    entry, digests = inputs.entry, inputs.digests
    torch.set_num_threads(inputs.threads)
    if not (folder / AUDIT_FILE).exists() or (folder / LEDGER_FILE).exists():
        classifier = (
            load_classifier(trained_folder(study, cell.needs[0]))
            if cell.needs
            else load_model(entry.model.model, entry.model.options)
        )
        shape, seed = classifier.shape, entry.plan.seed
        cohort = entry.cohort
        natural = photographs(entry.natural, digests["natural"], shape, entry.photographs, seed)
        test = medical(
            cohort.test, digests["cohort"], shape, classifier.class_names, cohort.reading
        )
        training = oracle_images(inputs, shape) if "training" in digests else None
        public = public_network(classifier, entry.public) if entry.public else None
        check_unchanged(inputs.data)
        run(
            entry.plan,
            classifier,
            natural,
            test,
            folder,
            note=cohort.note,
            training=training,
            public=public,
            tracker=tracker,
            keep_predictions=True,
            finish=write_report,
        )
    write_report(folder)
    found = load_audit(folder)
    check_files(found, folder)
    return figures(found, folder)


def oracle_images(inputs: Inputs, shape: Shape) -> ImageSet:
    """Draw the images of an oracle at random: as many as there are photographs at most."""
    entry, cohort = inputs.entry, inputs.entry.cohort
    found = medical(cohort.train, inputs.digests["training"], shape, cohort.classes, cohort.reading)
    generator = torch.Generator().manual_seed(entry.plan.seed)
    chosen = torch.randperm(len(found), generator=generator)[: entry.photographs]
    return ImageSet(found.images.pixels[chosen], cohort.train)


def figures(audit: Audit, folder: Path) -> Json:
    """Keep of an audit what the tables need: counts, costs, and the pairs of attack and control."""
    names = audit.model.class_names
    return {
        "n": audit.cohort.n,
        "n_correct": audit.cohort.clean.correct.hits,
        "eps": audit.budget.eps,
        "perturbations": [row(item, names) for item in audit.perturbations],
        "pairs": [
            pair(attack, control, names, folder)
            for attack in audit.perturbations
            if attack.role != "control"
            for control in audit.of_role("control")
            if control.copy_of in (None, attack.name)
        ],
    }


def row(item: Perturbation, names: tuple[str, ...]) -> Json:
    """Write a perturbation as the columns of the index."""
    score = item.score
    goal = None if item.target is None else names.index(item.target)
    moved = None if goal is None else score.hit_from_elsewhere(goal)
    return {
        "name": item.name,
        "attack": None if item.role == "control" else method_text(item),
        "role": item.role,
        "threat_model": item.threat_model,
        "method": item.method["name"],
        "learned_on": item.source,
        "target": item.target,
        "copy_of": item.copy_of,
        "n": score.n,
        "n_fooled": score.fooled.hits,
        "n_fooled_raw": score.n_fooled_raw,
        "n_correct": score.correct.hits,
        "n_ceiling": score.ceiling.hits,
        "n_on_target": None if goal is None else score.hit(goal).hits,
        "n_elsewhere": None if moved is None else moved.n,
        "n_moved": None if moved is None else moved.hits,
        "dominant_class": names[score.dominant_class],
        "n_dominant": score.dominant.hits,
        "passes": item.n_forward + item.n_backward,
        "seconds": item.seconds,
        "l2": item.l2,
        "linf": item.linf,
    }


def method_text(item: Perturbation) -> str:
    """Write an attack as a method is written, with the settings that are not the usual ones."""
    name = item.method["name"]
    if name not in ATTACKS:  # a user's own
        own = [f"{key}={value}" for key, value in item.method.get("settings", {}).items()]
        at = "" if item.source == "photographs" else f"@{item.source}"
        return f"{name}{at}{':' * bool(own)}{','.join(own)}"
    usual = describe(ATTACKS[name].make())
    settings = [f"{key}={value}" for key, value in item.method.items() if usual.get(key) != value]
    source = "" if item.source == ATTACKS[name].source else f"@{item.source}"
    return f"{name}{source}{':' * bool(settings)}{','.join(settings)}"


def pair(attack: Perturbation, control: Perturbation, names: tuple[str, ...], folder: Path) -> Json:
    """Count the images that only one of an attack and its control moves.

    Moved is: predicted otherwise than without a perturbation or, for a targeted attack, predicted as
    the target where it was not without.
    """
    clean = predictions(folder, "clean.npy")
    moved = []
    for item in (attack, control):
        found = predictions(folder, item.file.rpartition("/")[2])
        check_predictions(item, clean, found, folder)
        changed = found != clean
        if attack.target is not None:
            changed &= found == names.index(attack.target)
        moved.append(changed)
    only_attack, only_control = moved[0] & ~moved[1], moved[1] & ~moved[0]
    return {
        "attack": attack.name,
        "control": control.name,
        "kind": control.method["name"],
        "only_attack": int(only_attack.sum()),
        "only_control": int(only_control.sum()),
        "n_control": int(moved[1].sum()),
    }


def predictions(folder: Path, name: str) -> NDArray[np.generic]:
    """Read the predictions under a perturbation, or without one."""
    path = folder / PREDICTIONS / name
    try:
        return read_array(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({reason_of(error)}): delete the cell's folder, and the study makes "
            "it again."
        ) from error


def check_predictions(
    item: Perturbation, clean: NDArray[np.generic], found: NDArray[np.generic], folder: Path
) -> None:
    """Check that predictions are those that an audit has counted.

    Raises:
        InputError: If not.
    """
    n = len(item.score.transitions)
    same = clean.shape == found.shape
    pairs = clean.astype(np.int64) * n + found.astype(np.int64) if same else np.empty(0)
    within = bool(((pairs >= 0) & (pairs < n * n)).all())
    counts = np.bincount(pairs.astype(np.int64), minlength=n * n) if within else np.empty(0)
    if counts.tolist() != [count for row in item.score.transitions for count in row]:
        raise InputError(
            f"{folder / PREDICTIONS} does not hold what was counted under {quoted(item.name)}: delete the "
            "cell's folder, and the study makes it again."
        )


WORK: dict[str, Work] = {"training": train, "audit": audit}
