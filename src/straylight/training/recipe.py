"""How a classifier is trained: the settings, and sets of them that have a name."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from straylight.errors import InputError

PRETRAINED, RANDOM = "pretrained", "none"
LARGEST = {"seed": 2**32, "epochs": 10**6, "batch_size": 10**6}

Flips = Literal["none", "horizontal", "both"]
Schedule = Literal["one-cycle", "steps"]
Sampling = Literal["balanced", "oversampled"]
Precision = Literal["float32", "bfloat16"]
Preset = Literal["one-cycle", "minagi2022"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier is trained: all layers, SGD with Nesterov momentum 0.9.

    Attributes:
        backbone: A timm model name, or ``torchvision:NAME``.
        backbone_args: Keyword arguments for the library that builds it.
        weights: A safetensors file, ``pretrained`` (the library downloads them), or ``none`` (random).
        epochs: Passes over the training part, at most.
        patience: Epochs without a better validation accuracy after which the training ends (0: never).
        schedule: ``one-cycle``: a rise over 15 % of all steps and half a cosine to zero; ``steps``:
            constant, but for `drops` and `decay`.
        learning_rate: Peak of the cycle, or the rate before the first drop.
        drops: Epochs done when the rate falls to a tenth (`steps` only).
        decay: The rate of step t, counted from 0, is divided by 1 + `decay` t (`steps` only).
        batch_size: Images in a step.
        weight_decay: L2 penalty.
        validation: Share of each class held out to choose the checkpoint.
        sampling: ``balanced``: an epoch draws as many images as there are, with replacement, each
            class as likely as any other; ``oversampled``: it takes every image once, and of the rarer
            classes copies, drawn once for the training, until all are as large as the largest.
        flips: ``none``, ``horizontal`` or ``both``: each half of the time.
        rotation, shift: Largest angle in degrees, and largest share of the side. They resample the
            images, which blurs them a little in training only.
        mean, std: Normalisation of images in [0, 1].
        precision: Of the forward pass: ``float32``, or ``bfloat16`` where torch's autocast deems it
            safe. Weights, momentum, batch-norm statistics and validation are float32 in both.
        seed: Of the split, the order, the augmentation and the new head.
    """

    backbone: str
    backbone_args: dict[str, Any] = field(default_factory=dict)
    weights: str = PRETRAINED
    epochs: int = 8
    patience: int = 0
    schedule: Schedule = "one-cycle"
    learning_rate: float = 0.02
    drops: tuple[int, ...] = ()
    decay: float = 0.0
    batch_size: int = 32
    weight_decay: float = 1e-4
    validation: float = 0.1
    sampling: Sampling = "balanced"
    flips: Flips = "horizontal"
    rotation: float = 0.0
    shift: float = 0.0
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2:
            raise InputError(
                "epochs must be at least 1 and batch_size at least 2, "
                f"not {self.epochs} and {self.batch_size}."
            )
        if not 0 < self.validation < 1:
            raise InputError(f"validation must lie between 0 and 1, not {self.validation}.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"learning_rate must be positive, not {self.learning_rate}.")
        for name in ("patience", "decay", "weight_decay", "rotation", "shift"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"{name} must be 0 or more, not {getattr(self, name)}.")
        if not all(math.isfinite(value) for value in (*self.mean, *self.std)):
            raise InputError(f"mean and std must be finite, not {self.mean} and {self.std}.")
        if not all(std > 0 for std in self.std):
            raise InputError(f"std must be positive, not {self.std}.")
        for name, most in LARGEST.items():
            if not -most <= getattr(self, name) <= most:
                raise InputError(f"{name} must be at most {most}, not {getattr(self, name)}.")
        if self.schedule == "one-cycle" and (self.drops or self.decay):
            raise InputError(
                "drops and decay need the schedule 'steps', which the recipe minagi2022 has."
            )


SIZES: dict[Preset, int] = {"one-cycle": 224, "minagi2022": 299}  # side of the images in pixels
# What differs from the defaults of `Recipe`: Recipe(backbone=NAME, **PRESETS["minagi2022"]).
PRESETS: dict[Preset, dict[str, Any]] = {
    "one-cycle": {},
    # Minagi, Hirano & Takemoto 2022 (https://doi.org/10.3390/jimaging8020038) took the classifiers of
    # Hirano, Minagi & Takemoto 2021, whose train_model.py (github.com/hkthirano/MedicalAI-UAP) says how:
    # there the rate falls where an epoch's number, counted from 0, is above 40 and above 45. It keeps the
    # checkpoint that does best on the *test* images, a leak that is not copied: `finetune` holds out
    # training images for that.
    "minagi2022": {
        "epochs": 50,
        "schedule": "steps",
        "learning_rate": 1e-3,
        "drops": (41, 46),
        "decay": 1e-6,
        "weight_decay": 0.0,
        "sampling": "oversampled",
        "flips": "none",
        "rotation": 5.0,
        "shift": 0.05,
        "mean": (128 / 255,) * 3,
        "std": (128 / 255,) * 3,
    },
}
