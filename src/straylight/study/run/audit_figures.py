"""The figures of an audit that enter the index of a study: counts, costs, and attack-control pairs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from straylight.attacks.method import Method
from straylight.audit.files import PREDICTIONS
from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.audit.schema import Json
from straylight.core.array_files import read_array
from straylight.core.errors import InputError, quote_text, reason_of


def audit_figures(audit: Audit, folder: Path) -> Json:
    """Return the figures of an audit that the tables need."""
    names = audit.model.class_names
    return {
        "n": audit.cohort.n,
        "n_correct": audit.cohort.clean.correct.hits,
        "eps": audit.budget.eps,
        "perturbations": [_perturbation_row(item, names) for item in audit.perturbations],
        "pairs": [
            _pair_row(attack, control, names, folder)
            for attack in audit.perturbations
            if attack.role != "control"
            for control in audit.of_role("control")
            if control.copy_of in (None, attack.name)
        ],
    }


def _perturbation_row(item: Perturbation, names: tuple[str, ...]) -> Json:
    """Return the row of a perturbation in the index."""
    score = item.score
    goal = None if item.target is None else names.index(item.target)
    moved = None if goal is None else score.hit_from_elsewhere(goal)
    return {
        "name": item.name,
        "attack": None if item.role == "control" else _format_attack(item),
        "role": item.role,
        "threat_model": item.threat_model,
        "method": item.method.name,
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


def _format_attack(item: Perturbation) -> str:
    """Format an attack as it is written in a plan, without its default settings."""
    return Method.format_recorded(item.method.to_json(), item.source)


def _pair_row(
    attack: Perturbation, control: Perturbation, names: tuple[str, ...], folder: Path
) -> Json:
    """Count the images that either only the attack or only its control moves.

    An image is moved if the perturbation changes its prediction. For a targeted attack, the new
    prediction must also be the target.
    """
    clean = _read_predictions(folder, "clean.npy")
    moved = []
    for item in (attack, control):
        found = _read_predictions(folder, item.file.rpartition("/")[2])
        _check_predictions(item, clean, found, folder)
        changed = found != clean
        if attack.target is not None:
            changed &= found == names.index(attack.target)
        moved.append(changed)
    only_attack, only_control = moved[0] & ~moved[1], moved[1] & ~moved[0]
    return {
        "attack": attack.name,
        "control": control.name,
        "kind": control.method.name,
        "only_attack": int(only_attack.sum()),
        "only_control": int(only_control.sum()),
        "n_control": int(moved[1].sum()),
    }


def _read_predictions(folder: Path, name: str) -> NDArray[np.generic]:
    """Read the predictions under a perturbation, or the clean ones."""
    path = folder / PREDICTIONS / name
    try:
        return read_array(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({reason_of(error)}): delete the cell's folder, and the study runs "
            "the cell again."
        ) from error


def _check_predictions(
    item: Perturbation, clean: NDArray[np.generic], found: NDArray[np.generic], folder: Path
) -> None:
    """Check that predictions give the counts of the audit.

    Raises:
        InputError: If they do not.
    """
    n = len(item.score.transitions)
    same = clean.shape == found.shape
    pairs = clean.astype(np.int64) * n + found.astype(np.int64) if same else np.empty(0)
    within = bool(((pairs >= 0) & (pairs < n * n)).all())
    counts = np.bincount(pairs.astype(np.int64), minlength=n * n) if within else np.empty(0)
    if counts.tolist() != [count for row in item.score.transitions for count in row]:
        raise InputError(
            f"{folder / PREDICTIONS} does not match the counts of {quote_text(item.name)}: delete the "
            "cell's folder, and the study runs the cell again."
        )
