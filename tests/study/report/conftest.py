"""A study written by hand, for tests of its tables."""

from pathlib import Path

import pytest

from straylight.study.run.cell import Cell
from straylight.study.run.index import INDEX, StudyIndex
from straylight.study.run.runner import Outcome


def attack_row(name: str, target: str | None, fooled: int, moved: int | None) -> dict[str, object]:
    return {
        "name": name + (f" to {target}" if target else ""), "attack": name, "role": "attack",
        "threat_model": "T1", "method": name, "target": target, "n": 100, "n_fooled": fooled,
        "n_ceiling": 90, "n_elsewhere": 80, "n_moved": moved,
    }  # fmt: skip


def pair_row(
    name: str, kind: str, only_attack: int, only_control: int, n: int
) -> dict[str, object]:
    found = {"attack": name, "control": f"{kind} 1", "kind": kind, "n_control": n}
    return found | {"only_attack": only_attack, "only_control": only_control}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """An index written by hand: two seeds of a cell, and one of another norm."""
    index = StudyIndex(tmp_path / INDEX, write=True)
    labels = {"cohort": "skin", "photographs": 1000, "zeta": 0.02}
    cells = [
        Cell(kind="audit", identity={"k": k}, labels=labels | {"norm": norm, "seed": seed})
        for k, (norm, seed) in enumerate([("l2", 0), ("l2", 1), ("linf", 0)])
    ]
    index.begin("By hand", cells)
    for cell, fooled, beaten in zip(cells, (60, 80, 5), (40, 50, 1), strict=True):
        pairs = [
            pair_row("gradient", "random-sphere", fooled, 0, 3),
            pair_row("gradient", "random-sign", beaten, 4, 7),
            pair_row("gradient", "gabor", 0, 50, 90),
            pair_row("gradient", "phase-randomised", 9, 9, 20),
            pair_row("gradient to MEL", "random-sign", 30, 0, 2),
        ]
        made = [attack_row("gradient", None, fooled, None), attack_row("gradient", "MEL", 70, 32)]
        found = {"n": 100, "n_correct": 77, "perturbations": made, "pairs": pairs}
        index.record([Outcome(cell.id, "done", 1.0, figures=found)])
    index.close()
    return tmp_path
