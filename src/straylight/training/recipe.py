"""The recipe of a training: settings, named presets, and the learning-rate schedule."""

import json
import math
import os
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from straylight.core.checks import check_integer, check_number, describe_value
from straylight.core.errors import InputError, reason_of
from straylight.core.strict_json import parse_json
from straylight.models.specification import as_list, parse_channel_values, parse_normalisation

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
    """Settings of a training: all layers, SGD with Nesterov momentum 0.9.

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
        precision: Precision of the forward pass: ``float32``, or ``bfloat16`` where torch's autocast
            considers it safe. Weights, momentum, batch-norm statistics and validation are float32 in both.
        seed: Seed of the split, the order, the augmentation and the new head.

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
            object.__setattr__(self, name, check_setting(getattr(self, name), name, kind))
        parse_normalisation(self.mean, self.std, 1)
        if self.schedule == "one-cycle" and (self.drops or self.decay):
            raise InputError(
                "drops and decay need the schedule 'steps', which the recipe minagi2022 has."
            )


def check_setting(value: Any, name: str, kind: Any) -> Any:  # noqa: ANN401
    """Check a setting, and convert it to the type of its field.

    Raises:
        InputError: If it is of another type, or out of its range.
    """
    if get_origin(kind) is Literal:
        return check_choice(value, name, get_args(kind))
    if kind is int:
        return check_range(check_integer(value, name), name)
    if kind is float:
        return check_range(check_number(value, name, "0.1"), name)
    if kind is str:
        return check_path(value, name)
    if name == "drops":
        return tuple(check_integer(epoch, name, 0) for epoch in as_list(value))
    return (
        check_backbone_arguments(value, name)
        if name == "backbone_args"
        else parse_channel_values(value, name)
    )


def check_choice(value: object, name: str, words: tuple[str, ...]) -> str:
    """Check that a value is one of some words.

    Raises:
        InputError: If it is not.
    """
    if not isinstance(value, str) or value not in words:
        raise InputError(f"{name} must be one of {', '.join(words)}, not {describe_value(value)}.")
    return str(value)


def check_path(value: object, name: str) -> str:
    """Check a name or path, and return it as text.

    Raises:
        InputError: If it is neither.
    """
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        raise InputError(
            f"{name} must be a name, such as {EXAMPLES[name]}, not {describe_value(value)}."
        )
    return str(path)


def check_range(value: N, name: str) -> N:
    """Check that a number is finite and in the range of its field.

    Raises:
        InputError: If it is not.
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


def check_backbone_arguments(value: object, name: str) -> dict[str, Any]:
    """Check keyword arguments, and copy them, so that a model card can hold them.

    Raises:
        InputError: If it cannot.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InputError(
            f"{name} must be a dict, such as {{'pad_type': 'same'}}, not {describe_value(value)}."
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


def preset_settings(name: str) -> dict[str, Any]:
    """Return the settings of a preset, as named by `straylight finetune --recipe`.

    Raises:
        InputError: If there is no such preset.
    """
    found = {preset: settings for preset, settings in PRESETS.items() if preset == name}
    if name and not found:
        raise InputError(f"there is no recipe {name!r}: the catalogue has {', '.join(PRESETS)}.")
    return dict(*found.values())


def learning_rate_at(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0 over all epochs."""
    if recipe.schedule == "one-cycle":
        return one_cycle_rate(step, recipe.epochs * steps_per_epoch, recipe.learning_rate)
    drops = sum(step >= drop * steps_per_epoch for drop in recipe.drops)
    return recipe.learning_rate * 0.1**drops / (1 + recipe.decay * step)


def one_cycle_rate(step: int, steps: int, peak: float) -> float:
    """Return the rate at `step`: a linear rise over the first 15 %, then half a cosine to zero."""
    rise = 0.15 * steps
    if step < rise:
        return peak * (step + 1) / (rise + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))
