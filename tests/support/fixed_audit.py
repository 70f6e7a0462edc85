"""An audit written by hand, whose names try to leave their place in the page."""

from pathlib import Path

import numpy as np

from straylight.audit.perturbation import CurvePoint, MethodInfo, Perturbation
from straylight.audit.results import Audit
from straylight.audit.sections import (
    AdaptedInfo,
    BudgetInfo,
    CohortInfo,
    EnvironmentInfo,
    ExamplesInfo,
    ModelInfo,
    NaturalInfo,
)
from straylight.evaluation.metrics import Matrix, Score
from straylight.evaluation.preflight.check_result import CheckResult

NAMES = (
    "<script>alert(1)</script>",
    "benign",
    "a long \"class\" name with 'quotes' & an ampersand",
)


CLEAN: Matrix = ((18, 1, 1), (2, 17, 1), (0, 0, 20))


CLEAN_PREDICTIONS = (20, 18, 22)


AMPLITUDE = 0.015  # amplified 20 times around mid-grey: levels 204 and 51


def deltas() -> dict[str, float]:
    """Amplitude of each perturbation's checkerboard."""
    return {
        "gradient": AMPLITUDE,
        "gradient-to-benign": AMPLITUDE,
        "oracle": AMPLITUDE,
        "sphere-1": 0.01,
        "sphere-2": 0.01,
        "copy": 0.01,
    }


def board(amplitude: float) -> np.ndarray:
    """A perturbation of plus and minus `amplitude`, float32 (1, 3, 8, 8)."""
    signs = 1.0 - 2.0 * (np.indices((8, 8)).sum(0) % 2)
    return np.tile(amplitude * signs, (1, 3, 1, 1)).astype(np.float32)


def perturbation(name: str, score: Score, file: str, **fields: object) -> Perturbation:
    """A perturbation of the audit; what is not given is that of a T1 attack."""
    settings: dict[str, object] = {
        "role": "attack",
        "threat_model": "T1",
        "method": MethodInfo("gradient", {"steps": 300, "kappa": 10.0}),
        "source": "photographs",
        "target": None,
        "copy_of": None,
        "seed": 0,
        "images_seen": 9600,
        "n_forward": 10600,
        "n_backward": 9600,
        "seconds": 61.25,
        "l2": AMPLITUDE * np.sqrt(192),
        "linf": AMPLITUDE,
    }
    return Perturbation(
        name=name,
        score=score,
        file=f"perturbations/{file}.npy",
        **(settings | fields),  # type: ignore[arg-type]
    )


CURVE = tuple(
    CurvePoint(images_seen=1200 * 2**k, model_passes=2400 * 2**k, seconds=7.5 * 2**k, n_fooled=n)
    for k, n in enumerate((6, 15, 24, 28))
)


def still() -> Score:
    """The score of a perturbation that changes nothing."""
    diagonal = tuple(
        tuple(CLEAN_PREDICTIONS[i] if i == j else 0 for j in range(3)) for i in range(3)
    )
    return Score(CLEAN, diagonal, 0)


def fixed_audit() -> Audit:
    """An audit of 60 images whose names, files and notes try to leave their place in the page."""
    attacked = Score(((2, 18, 0), (1, 19, 0), (4, 5, 11)), ((4, 16, 0), (1, 17, 0), (2, 9, 11)), 29)
    targeted = Score(((0, 20, 0),) * 3, ((0, 20, 0), (0, 18, 0), (0, 22, 0)), 42)
    noisy = Score(((17, 2, 1), (2, 17, 1), (0, 0, 20)), ((19, 1, 0), (0, 18, 0), (0, 0, 22)), 2)
    control: dict[str, object] = {
        "role": "control",
        "threat_model": "T0",
        "images_seen": 0,
        "n_forward": 0,
        "n_backward": 0,
        "source": None,
        "seconds": 0.0125,
        "l2": 0.01 * np.sqrt(192),
        "linf": 0.01,
    }
    sphere: dict[str, object] = {"method": MethodInfo("random-sphere")}
    copy: dict[str, object] = {"method": MethodInfo("phase-randomised"), "copy_of": "gradient"}
    return Audit(
        model=ModelInfo(
            spec="models/\"skin\" & <b>'x'</b>",
            sha256="a" * 64,
            class_names=NAMES,
            channels=3,
            height=8,
            width=8,
            card={"architecture": "<i>net</i>", "history": [{"loss": 0.5}]},
        ),
        natural=NaturalInfo(
            "builtin:photos",
            1000,
            "b" * 64,
            (),
            "photographs.npy",
            AdaptedInfo(
                n=3000,
                sha256="d" * 64,
                examples="adapted.npy",
                statistic="moments",
                distance_before=0.5951,
                distance_after=0.1391,
                style={"offset": [-0.3, 0.0, 0.1]},
                settings={"steps": 120, "batch_size": 24},
                n_forward=2880,
                n_backward=2880,
                seconds=61.5,
            ),
        ),
        cohort=CohortInfo(
            spec="data/skin.csv",
            n=60,
            sha256="c" * 64,
            skipped=({"file": '"><script>alert(3)</script>.png', "reason": "cannot be read"},),
            class_names=NAMES,
            clean_confusion=CLEAN,
            note="Synthetic. <img src=x onerror=alert(2)>",
            examples=ExamplesInfo(
                file="examples.npy",
                perturbation="gradient",
                labels=(NAMES[2], NAMES[0]),
                clean=(NAMES[2], NAMES[0]),
                attacked=(NAMES[2], NAMES[1]),
            ),
        ),
        budget=BudgetInfo("l2", 0.04, 0.25, 4.6),
        perturbations=(
            perturbation("gradient", attacked, "gradient", curve=CURVE),
            perturbation("gradient to benign", targeted, "gradient-to-benign", target="benign"),
            perturbation(
                "oracle",
                targeted,
                "oracle",
                role="reference",
                threat_model="oracle",
                source="medical",
            ),
            perturbation("random-sphere 1", still(), "sphere-1", **control | sphere),
            perturbation("random-sphere 2", noisy, "sphere-2", **control | sphere, seed=1),
            perturbation(
                "perlin 1", noisy, "perlin-1", **control | {"method": MethodInfo("perlin")}
            ),
            perturbation("phase-randomised gradient", noisy, "copy", **control | copy),
        ),
        environment=EnvironmentInfo(
            straylight="0.0.0",
            torch="2.0",
            python="3.11",
            device="cpu",
            threads=1,
            command="straylight audit --model '</code><script>alert(4)</script>'",
        ),
        preflight=(
            CheckResult(
                "warning", "classes", "The cohort has no image of <script>alert(5)</script>."
            ),
            CheckResult("note", "head", "<b>net</b>: its outputs are probabilities."),
        ),
    )


def write_arrays(folder: Path) -> Path:
    """Write the arrays that go with the fixed audit."""
    (folder / "perturbations").mkdir(parents=True)
    for name, amplitude in deltas().items():
        np.save(folder / "perturbations" / f"{name}.npy", board(amplitude))
    grey = np.full((2, 3, 8, 8), 100, np.uint8)
    grey[1] = 254
    np.save(folder / "examples.npy", grey)
    np.save(folder / "photographs.npy", np.full((3, 3, 8, 8), 30, np.uint8))
    np.save(folder / "adapted.npy", np.full((2, 3, 8, 8), 60, np.uint8))
    return folder
