"""`straylight finetune`."""

import json
import math
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from straylight.cli.options import Text
from straylight.cli.output import print_json
from straylight.core.conventions import Shape
from straylight.core.errors import InputError, quote_text
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

if TYPE_CHECKING:
    import rich.console


def _recipe_option(name: str, metavar: str) -> object:
    """Describe an option that overrides a setting of the recipe; None keeps that setting."""
    base = {field.name: field.default for field in fields(Recipe)} | {"size": SIZES["one-cycle"]}
    paper = PRESETS["minagi2022"] | {"size": SIZES["minagi2022"]}
    hint = f"(default: {format_setting(base[name])}"
    if name in paper:
        hint += f"; minagi2022: {format_setting(paper[name])}"
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint + ")")


def format_setting(value: object) -> str:
    """Format a setting as it is typed on the command line."""
    if isinstance(value, tuple):
        return " ".join(map(format_setting, value)) or "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True)
class FinetuneCommand:
    """Train a medical classifier by transfer learning.

    For example:
      straylight finetune --data skin/train.csv --backbone mobilenetv2_100
        --size 128 --epochs 8 --out models/skin
    """

    data: str
    """Labelled training images (DICOM is supported). One of:
    - class folders, also in a .zip or .tar
    - a manifest with the columns file and label (.csv or .parquet)
    - FILE.npz, or X_NAME.npy beside y_NAME.npy
    - medmnist:NAME@SIZE:train
    - hf:NAME_OR_FOLDER:SPLIT"""
    backbone: str
    """A timm model name, such as mobilenetv2_100, or torchvision:NAME, such as torchvision:vgg16."""
    out: Path
    """Folder for model.safetensors and model.json; an interrupted training resumes there."""
    weights: str = PRETRAINED
    """Initial weights: a .safetensors file, 'pretrained' (downloaded), or 'none' (random)."""
    backbone_arg: tuple[str, ...] = ()
    """Arguments for the backbone, as NAME=VALUE, such as pad_type=same."""
    reading: Text = ""
    """Settings for reading the images, as NAME=VALUE,...:
    - file=COLUMN and label=COLUMN of a manifest or of hf:
    - root=FOLDER of a manifest
    - window=CENTRE/WIDTH and frame=K of DICOM"""
    recipe: Preset = "one-cycle"
    """Named settings: 'one-cycle', or 'minagi2022' as in the paper. The options below override them."""
    size: Annotated[int | None, _recipe_option("size", "INT")] = None
    """Side of the images in pixels."""
    grey: bool = False
    """Train on one grey channel instead of RGB."""
    epochs: Annotated[int | None, _recipe_option("epochs", "INT")] = None
    """Largest number of passes over the training images."""
    patience: Annotated[int | None, _recipe_option("patience", "INT")] = None
    """Stop after this many epochs without a better validation accuracy (0: never)."""
    learning_rate: Annotated[float | None, _recipe_option("learning_rate", "FLOAT")] = None
    """Peak of the one cycle, or rate before the first drop."""
    drops: Annotated[tuple[int, ...] | None, _recipe_option("drops", "INT [INT ...]")] = None
    """Epochs after which the learning rate drops to a tenth."""
    batch_size: Annotated[int | None, _recipe_option("batch_size", "INT")] = None
    """Images in a batch."""
    weight_decay: Annotated[float | None, _recipe_option("weight_decay", "FLOAT")] = None
    """L2 penalty."""
    validation: Annotated[float | None, _recipe_option("validation", "FLOAT")] = None
    """Share of each class held out to choose the best epoch."""
    sampling: Annotated[Sampling | None, _recipe_option("sampling", "{balanced,oversampled}")] = (
        None
    )
    """Draw all classes equally often, or repeat images of the rarer ones."""
    flips: Annotated[Flips | None, _recipe_option("flips", "{none,horizontal,both}")] = None
    """Flip the training images left to right, and with 'both' upside down as well."""
    rotation: Annotated[float | None, _recipe_option("rotation", "DEGREES")] = None
    """Rotate the training images by up to this angle."""
    shift: Annotated[float | None, _recipe_option("shift", "FLOAT")] = None
    """Shift the training images by up to this share of their side."""
    mean: Annotated[
        tuple[float, float, float] | None, _recipe_option("mean", "FLOAT FLOAT FLOAT")
    ] = None
    """Mean that the backbone subtracts from images in [0, 1]: red, green and blue."""
    std: Annotated[
        tuple[float, float, float] | None, _recipe_option("std", "FLOAT FLOAT FLOAT")
    ] = None
    """Standard deviation that the backbone divides by."""
    precision: Annotated[Precision | None, _recipe_option("precision", "{float32,bfloat16}")] = None
    """Precision of the forward pass in training; bfloat16 is faster on processors that support it."""
    seed: int = 0
    """The same seed and number of threads give the same model."""
    json: bool = False
    """Print the model card as JSON."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        recipe = self.make_recipe()
        size = SIZES[self.recipe] if self.size is None else self.size
        if size < 1:
            raise InputError(f"--size must be at least 1 pixel, not {size}.")
        from straylight.cli.load import print_skipped_files
        from straylight.cohort.load import load_cohort
        from straylight.cohort.manifest import Reading
        from straylight.core.progress import print_plain, show_progress
        from straylight.core.settings import parse_settings
        from straylight.training.finetune import finetune

        shape: Shape = (1 if self.grey else 3, size, size)
        data = load_cohort(
            self.data, shape, reading=parse_settings(Reading, "reading", self.reading)
        )
        print_skipped_files(data.images, err)
        if self.mean is None and self.std is None and recipe.weights != RANDOM:
            print_normalisation_hint(recipe, err)
        with show_progress(err) as tracker:
            classifier = finetune(data, recipe, self.out, tracker)
        if self.json:
            print_json(out, classifier.card)
            return
        history = classifier.card["training"]["history"]
        best = max(entry["validation_accuracy"] for entry in history)
        if len(history) < recipe.epochs:
            print_plain(
                out,
                f"Stopped after epoch {len(history)} of {recipe.epochs}: the validation accuracy did not "
                f"improve (--patience {recipe.patience}).",
            )
        print_plain(out, f"{self.out}: accuracy on held-out training images {100 * best:.1f} %")
        model = shlex.quote(str(self.out))
        print_plain(
            out,
            f"Next: straylight audit --model {model} --natural PHOTOS --cohort TEST --zeta 0.02",
        )

    def make_recipe(self) -> Recipe:
        """Return the named recipe with the settings that are given on the command line."""
        given = {field.name: getattr(self, field.name, None) for field in fields(Recipe)}
        given["backbone_args"] = parse_arguments(self.backbone_arg)
        settings = PRESETS[self.recipe] | {k: v for k, v in given.items() if v is not None}
        return Recipe(**settings)


def print_normalisation_hint(recipe: Recipe, err: "rich.console.Console") -> None:
    """Print a note if the public weights were trained with another normalisation than the recipe's."""
    from straylight.core.progress import print_plain
    from straylight.models.backbones import pretrained_normalisation

    public = pretrained_normalisation(recipe.backbone, recipe.backbone_args)
    if public is None or all(
        math.isclose(own, here, abs_tol=0.01)
        for own, here in zip((*public[0], *public[1]), recipe.mean + recipe.std, strict=False)
    ):
        return
    mean, std = map(format_setting, public)
    print_plain(
        err,
        f"Note: the public weights of {recipe.backbone} were trained with --mean {mean} --std {std}; "
        f"this training uses {format_setting(recipe.mean)} and {format_setting(recipe.std)}.",
    )


def parse_arguments(pairs: tuple[str, ...]) -> dict[str, object]:
    """Parse NAME=VALUE texts into keyword arguments; a value that is not JSON is text."""
    arguments: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise InputError(
                f"--backbone-arg '{quote_text(pair)}' must be NAME=VALUE, such as pad_type=same."
            )
        try:
            arguments[name] = json.loads(value)
        except json.JSONDecodeError:
            arguments[name] = value
    return arguments
