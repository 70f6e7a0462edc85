"""Image classifiers of Hugging Face `transformers`, from a folder.

The library does not read the folder. Its configuration is made of the listed fields of `config.json`
(`arguments.py`), and it is given the tensors that were read here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.limits import LARGEST_SIDE
from straylight.core.strict_json import read_json
from straylight.core.tensors import LEVELS
from straylight.models.constructor_arguments import check_arguments
from straylight.models.readers.network import Brought
from straylight.models.readers.timm_hub import (
    CONFIG,
    MOST_CLASSES,
    is_numbers,
    is_text,
    size_of_weights,
)
from straylight.models.readers.transformers_config import FIELDS, METADATA, TYPES
from straylight.models.size_limit import Budget
from straylight.models.weights import Weights, conversions, read_weights, without_prefixes

PREPROCESSOR = "preprocessor_config.json"
# What a classifier with the head of a teacher has: tensors, and the end of its class's name.
TEACHER, TAUGHT = ("distillation_classifier.", "classifier_distill."), "WithTeacher"
SEVERAL = "multi_label_classification"
PROBLEMS = (None, SEVERAL, "single_label_classification")


class Outputs(nn.Module):
    """The outputs of a classifier of `transformers`: logits, or probabilities of several findings."""

    def __init__(self, network: nn.Module, *, several: bool) -> None:
        super().__init__()
        self.network, self.several = network, several

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(pixel_values=images).logits
        return logits.sigmoid() if self.several else logits


def read_transformers_folder(spec: str, folder: Path, config: dict[str, Any]) -> Brought:
    """Read `config.json`, the weights and, if it is there, `preprocessor_config.json`."""
    size = size_of_weights(spec, folder)
    names = checked_config(spec, config)
    side, mean, std = preprocessing(spec, folder)
    weights, notes = without_prefixes(read_weights(folder))
    with Budget(spec, size):
        network = build(spec, config, names, weights)
    return Brought(
        Outputs(network, several=config.get("problem_type") == SEVERAL),
        size=side,
        mean=mean,
        std=std,
        # LABEL_0, LABEL_1 stand where nobody named them.
        classes=() if all(n == f"LABEL_{i}" for i, n in enumerate(names)) else names,
        notes=(*notes, *conversions(weights.values())),
    )


def checked_config(spec: str, config: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes, if the configuration holds nothing but what is listed.

    Raises:
        InputError: If not.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise InputError(
            f"{spec} is no image classifier that is read (model_type '{quoted(kind, 40)}' in {CONFIG}): "
            "docs/models.md lists those that are; for others give python:MODULE:FUNCTION."
        )
    given = {key: value for key, value in config.items() if key not in METADATA}
    check_arguments(spec, given, FIELDS)
    if config.get("problem_type") not in PROBLEMS:
        raise InputError(f"{spec} has a problem_type that is not of a classifier.")
    return class_names(spec, config)


def class_names(spec: str, config: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes, by the numbers that `id2label` gives them."""
    labels = config.get("id2label")
    if labels is None:
        count = config.get("num_labels", 2)
        whole = isinstance(count, int) and 1 <= count <= MOST_CLASSES
        names: dict[str, Any] = {str(i): f"LABEL_{i}" for i in range(count)} if whole else {}
    else:
        names = labels if isinstance(labels, dict) and len(labels) <= MOST_CLASSES else {}
    if (
        not names
        or set(names) != {str(i) for i in range(len(names))}
        or not all(map(is_text, names.values()))
    ):
        raise InputError(
            f"{spec} has a {CONFIG} whose id2label does not name the classes 0, 1, 2 and so on."
        )
    return tuple(names[str(i)] for i in range(len(names)))


def build(spec: str, config: dict[str, Any], names: tuple[str, ...], weights: Weights) -> nn.Module:
    """Build the network and fill it; every tensor must be in the file."""
    try:
        from transformers import CONFIG_MAPPING, AutoModelForImageClassification
    except ImportError:
        raise InputError(f"{spec} needs transformers: 'pip install straylight[hf]'.") from None
    given = {key: value for key, value in config.items() if key in FIELDS}
    try:
        with quiet():
            made: Any = CONFIG_MAPPING[config["model_type"]]
            settings = made(**given, id2label=dict(enumerate(names)), num_labels=len(names))
            kind = class_of(AutoModelForImageClassification._model_mapping[type(settings)], weights)
            network, told = kind.from_pretrained(
                None,
                config=settings,
                state_dict=weights,
                attn_implementation="eager",
                dtype="float32",
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # told below, with all the rest
            )
    except InputError:
        raise
    except Exception as error:
        # Its model classes raise kinds of all sorts.
        raise InputError(
            f"{spec} is no image classifier that transformers can build ({reason_of(error)})."
        ) from error
    mismatched = [key[0] for key in told["mismatched_keys"]]
    wrong = sorted({*told["missing_keys"], *told["unexpected_keys"], *mismatched})
    if wrong:
        raise InputError(
            f"{spec} does not fit its {CONFIG}: {len(wrong)} tensors are missing, left over or of "
            f"another shape (first: {quoted(wrong[0])})."
        )
    built: nn.Module = network
    return built


def class_of(kinds: Any, weights: Weights) -> Any:  # noqa: ANN401 (classes of transformers)
    """Return the class that the tensors are of: a DeiT and a LeViT have one with a teacher's head too."""
    if not isinstance(kinds, tuple):
        return kinds
    teacher = any(name.startswith(TEACHER) for name in weights)
    return next(kind for kind in kinds if kind.__name__.endswith(TAUGHT) == teacher)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's progress and its table of tensors to itself: what is wrong is said here."""
    from transformers.utils import logging

    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def preprocessing(spec: str, folder: Path) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Return side, mean and std of images in [0, 1]; the file's are of 0..255 times its factor."""
    path = folder / PREPROCESSOR
    if not path.is_file():
        return 0, (), ()
    try:
        said = read_json(path)
        cropped = said.get("do_center_crop") and "crop_size" in said
        size = side_of(said.get("crop_size" if cropped else "size"))
        factor = float(LEVELS * said.get("rescale_factor", 1 / LEVELS))
        if not said.get("do_rescale", True):
            factor = float(LEVELS)
        if not said.get("do_normalize", True):
            return size, (0.0,) * 3, (1 / factor,) * 3
        given = [said.get(key) or [] for key in ("image_mean", "image_std")]
        if not all(map(is_numbers, given)) or not 0 < factor < 1e6:
            raise ValueError("its mean, std or factor are not numbers for each channel")
        mean, std = (tuple(value / factor for value in values) for values in given)
    except (ValueError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        raise InputError(
            f"{spec} has a {PREPROCESSOR} that cannot be read ({reason_of(error)})."
        ) from error
    return size, mean, std


def side_of(size: object) -> int:
    """Return the side of square images (0: not said).

    >>> side_of(224), side_of({"shortest_edge": 224}), side_of({"height": 96, "width": 128})
    (224, 224, 0)
    """
    sides = list(size.values()) if isinstance(size, dict) else [size]
    side: Any = sides[0] if sides and sides.count(sides[0]) == len(sides) else 0
    whole = isinstance(side, int) and not isinstance(side, bool)
    return side if whole and 0 < side <= LARGEST_SIDE else 0
