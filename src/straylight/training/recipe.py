"""How a classifier is trained: the settings, and sets of them that have a name."""

import json
import math
import os
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from straylight.core.checks import real, said, whole
from straylight.core.errors import InputError, reason_of
from straylight.core.strict_json import parse_json
from straylight.models.specification import as_list, plain_normalisation, plain_numbers

N = TypeVar("N", int, float)
PRETRAINED, RANDOM = "pretrained", "none"
MOST = 10**6  # of a count
LEAST = {"seed": -(2**32), "epochs": 1, "batch_size": 2}  # others: 0
LARGEST = {"seed": 2**32, "validation": 1, "rotation": 360, "shift": 1}  # others: MOST, 1e30
POSITIVE = ("learning_rate", "validation")
EXAMPLES = {"backbone": "'mobilenetv2_100'", "weights": "'pretrained', 'none' or FILE.safetensors"}

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

    Raises:
        InputError: If a setting is of another type, or out of its range; the message names it.
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
        for name, kind in get_type_hints(type(self)).items():
            object.__setattr__(self, name, usual(getattr(self, name), name, kind))
        plain_normalisation(self.mean, self.std, 1)
        if self.schedule == "one-cycle" and (self.drops or self.decay):
            raise InputError(
                "drops and decay need the schedule 'steps', which the recipe minagi2022 has."
            )


def usual(value: Any, name: str, kind: Any) -> Any:  # noqa: ANN401
    """Return a setting in the form of its field, of whatever type it was given.

    Raises:
        InputError: If it is of another type, or out of its range.
    """
    if get_origin(kind) is Literal:
        return one_of(value, name, get_args(kind))
    if kind is int:
        return within(whole(value, name), name)
    if kind is float:
        return within(real(value, name, "0.1"), name)
    if kind is str:
        return plain_path(value, name)
    if name == "drops":
        return tuple(whole(epoch, name, 0) for epoch in as_list(value))
    return plain_arguments(value, name) if name == "backbone_args" else plain_numbers(value, name)


def one_of(value: object, name: str, words: tuple[str, ...]) -> str:
    """Return one of some words.

    Raises:
        InputError: If it is none of them.
    """
    if not isinstance(value, str) or value not in words:
        raise InputError(f"{name} must be one of {', '.join(words)}, not {said(value)}.")
    return str(value)


def plain_path(value: object, name: str) -> str:
    """Return a name or a path as text.

    Raises:
        InputError: If it is neither.
    """
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        raise InputError(f"{name} must be a name, such as {EXAMPLES[name]}, not {said(value)}.")
    return str(path)


def within(value: N, name: str) -> N:
    """Return a number that lies in the range of its field.

    Raises:
        InputError: If it does not, or is not finite.
    """
    least, most = LEAST.get(name, 0), LARGEST.get(name, 1e30 if isinstance(value, float) else MOST)
    above = name in POSITIVE
    if not (math.isfinite(value) and value >= least and (value > 0 or not above)):
        bound = "positive" if above else "0 or more" if least == 0 else f"at least {least}"
        raise InputError(f"{name} must be {bound}, not {value}.")
    if value > most or (name == "validation" and value == most):
        where = "lie between 0 and 1" if name == "validation" else f"be at most {most}"
        raise InputError(f"{name} must {where}, not {value}.")
    return value


def plain_arguments(value: object, name: str) -> dict[str, Any]:
    """Return a copy of keyword arguments that a model card can hold.

    Raises:
        InputError: If they are something else.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InputError(
            f"{name} must be a dict, such as {{'pad_type': 'same'}}, not {said(value)}."
        )
    try:
        parse_json(json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{name} must hold numbers, words and lists of them ({reason_of(error)})."
        ) from None
    return dict(value)


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
