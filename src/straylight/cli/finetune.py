"""`straylight finetune`."""

import json
import math
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from straylight.cli.options import say_skipped
from straylight.cli.output import print_json
from straylight.cohort.load import load_cohort
from straylight.cohort.reading import Reading
from straylight.core.errors import InputError, quoted
from straylight.core.progress import progress, say
from straylight.core.settings import parse_settings
from straylight.core.tensors import Shape
from straylight.models.backbones import own_normalisation
from straylight.training.finetune import finetune
from straylight.training.recipe import (
    PRESETS,
    PRETRAINED,
    RANDOM,
    SIZES,
    Flips,
    Precision,
    Preset,
    Recipe,
    Sampling,
)


def own(name: str, metavar: str) -> object:
    """Describe an option that counts for more than the recipe: None leaves it to that."""
    base = {field.name: field.default for field in fields(Recipe)} | {"size": SIZES["one-cycle"]}
    paper = PRESETS["minagi2022"] | {"size": SIZES["minagi2022"]}
    hint = f"(default: {written(base[name])}"
    if name in paper:
        hint += f"; minagi2022: {written(paper[name])}"
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint + ")")


def written(value: object) -> str:
    """Write a setting as it is typed."""
    if isinstance(value, tuple):
        return " ".join(map(written, value)) or "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True)
class FinetuneCommand:
    """Train a medical classifier by transfer learning.

    For example:
      straylight finetune --data skin/train.csv --backbone mobilenetv2_100
        --size 128 --epochs 8 --out models/skin
    """

    data: str
    """Training images: class folders (or a .zip or .tar of them), a manifest (.csv or .parquet:
    file,label), .npz, X_NAME.npy, medmnist:NAME@SIZE:train, or hf:NAME_OR_FOLDER:SPLIT. Files may be
    DICOM."""
    backbone: str
    """A timm model name, such as mobilenetv2_100, or torchvision:NAME, such as torchvision:vgg16."""
    out: Path
    """Folder for model.safetensors and model.json; an interrupted training there goes on."""
    weights: str = PRETRAINED
    """A .safetensors file, 'pretrained' (its library downloads them), or 'none' (random initialisation)."""
    backbone_arg: tuple[str, ...] = ()
    """Arguments for the backbone, as NAME=VALUE, such as pad_type=same."""
    reading: str = ""
    """How the images are read: file=COLUMN,label=COLUMN of a manifest or hf:, root=FOLDER of a
    manifest, and window=CENTRE/WIDTH,frame=K of DICOM."""
    recipe: Preset = "one-cycle"
    """Settings that belong together: 'one-cycle', or 'minagi2022', the paper's. What is given beside it
    counts for more."""
    size: Annotated[int | None, own("size", "INT")] = None
    """Side of the images in pixels."""
    grey: bool = False
    """Train on one grey channel instead of RGB."""
    epochs: Annotated[int | None, own("epochs", "INT")] = None
    """Passes over the training images, at most."""
    patience: Annotated[int | None, own("patience", "INT")] = None
    """Stop after so many epochs without a better validation accuracy (0: never)."""
    learning_rate: Annotated[float | None, own("learning_rate", "FLOAT")] = None
    """Peak of the one cycle, or rate before the first drop."""
    drops: Annotated[tuple[int, ...] | None, own("drops", "INT [INT ...]")] = None
    """Epochs done when the learning rate falls to a tenth."""
    batch_size: Annotated[int | None, own("batch_size", "INT")] = None
    """Images in a step."""
    weight_decay: Annotated[float | None, own("weight_decay", "FLOAT")] = None
    """L2 penalty."""
    validation: Annotated[float | None, own("validation", "FLOAT")] = None
    """Share of each class held out to choose the best epoch."""
    sampling: Annotated[Sampling | None, own("sampling", "{balanced,oversampled}")] = None
    """Draw classes equally often, or copy images of the rarer ones."""
    flips: Annotated[Flips | None, own("flips", "{none,horizontal,both}")] = None
    """Mirror the training images: left-right, and with 'both' upside down as well."""
    rotation: Annotated[float | None, own("rotation", "DEGREES")] = None
    """Rotate the training images by up to so many degrees."""
    shift: Annotated[float | None, own("shift", "FLOAT")] = None
    """Shift them by up to this share of their side."""
    mean: Annotated[tuple[float, float, float] | None, own("mean", "FLOAT FLOAT FLOAT")] = None
    """What the backbone subtracts from images in [0, 1], for red, green and blue."""
    std: Annotated[tuple[float, float, float] | None, own("std", "FLOAT FLOAT FLOAT")] = None
    """What the backbone divides by."""
    precision: Annotated[Precision | None, own("precision", "{float32,bfloat16}")] = None
    """Of the forward pass in training; bfloat16 can be faster where the processor computes in it."""
    seed: int = 0
    """Same seed and threads: same model."""
    json: bool = False
    """Print the model card as JSON."""

    def run(self, out: Console, err: Console) -> None:
        recipe = self.chosen()
        size = SIZES[self.recipe] if self.size is None else self.size
        if size < 1:
            raise InputError(f"--size must be at least 1 pixel, not {size}.")
        shape: Shape = (1 if self.grey else 3, size, size)
        data = load_cohort(
            self.data, shape, reading=parse_settings(Reading, "reading", self.reading)
        )
        say_skipped(data.images, err)
        if self.mean is None and self.std is None and recipe.weights != RANDOM:
            hint_normalisation(recipe, err)
        with progress(err) as tracker:
            classifier = finetune(data, recipe, self.out, tracker)
        if self.json:
            print_json(out, classifier.card)
            return
        history = classifier.card["training"]["history"]
        best = max(entry["validation_accuracy"] for entry in history)
        if len(history) < recipe.epochs:
            say(
                out,
                f"Stopped after epoch {len(history)} of {recipe.epochs}: the last {recipe.patience} did "
                "not raise the validation accuracy.",
            )
        say(out, f"{self.out}: accuracy on held-out training images {100 * best:.1f} %")
        model = shlex.quote(str(self.out))
        say(
            out,
            f"Next: straylight audit --model {model} --natural PHOTOS --cohort TEST --zeta 0.02",
        )

    def chosen(self) -> Recipe:
        """Return the recipe, with what was given beside it."""
        given = {field.name: getattr(self, field.name, None) for field in fields(Recipe)}
        given["backbone_args"] = parse_arguments(self.backbone_arg)
        settings = PRESETS[self.recipe] | {k: v for k, v in given.items() if v is not None}
        return Recipe(**settings)


def hint_normalisation(recipe: Recipe, err: Console) -> None:
    """Say it where the public weights were trained with another normalisation than the recipe's."""
    said = own_normalisation(recipe.backbone, recipe.backbone_args)
    if said is None or all(
        math.isclose(public, here, abs_tol=0.01)
        for public, here in zip((*said[0], *said[1]), recipe.mean + recipe.std, strict=False)
    ):
        return
    mean, std = map(written, said)
    say(
        err,
        f"Note: the public weights of {recipe.backbone} were trained with --mean {mean} --std {std}; "
        f"this training has {written(recipe.mean)} and {written(recipe.std)}.",
    )


def parse_arguments(pairs: tuple[str, ...]) -> dict[str, object]:
    """Turn NAME=VALUE texts into keyword arguments; values are read as JSON where they can be."""
    arguments: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise InputError(
                f"--backbone-arg '{quoted(pair)}' must be NAME=VALUE, such as pad_type=same."
            )
        try:
            arguments[name] = json.loads(value)
        except json.JSONDecodeError:
            arguments[name] = value
    return arguments
