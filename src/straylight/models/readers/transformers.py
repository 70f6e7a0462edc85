"""Read image classifiers of Hugging Face `transformers` from a folder.

The library does not read the folder itself. It gets a configuration made from the allowed fields of
`config.json` (`transformers_config.py`), and tensors that were read here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from straylight.core.conventions import LEVELS
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.limits import LARGEST_SIDE
from straylight.core.strict_json import read_json
from straylight.models.constructor_arguments import check_arguments
from straylight.models.readers.network import LoadedNetwork
from straylight.models.readers.timm_hub import (
    CONFIG,
    MOST_CLASSES,
    is_channel_values,
    is_short_text,
    weights_size,
)
from straylight.models.readers.transformers_config import FIELDS, METADATA, TYPES
from straylight.models.size_limit import TensorSizeLimit
from straylight.models.weights import (
    Weights,
    note_dtype_conversions,
    read_weights,
    strip_wrapper_prefixes,
)

PREPROCESSOR = "preprocessor_config.json"
# Classifiers with a distillation head: prefix of its tensors, and suffix of the class name.
TEACHER, TEACHER_CLASS = ("distillation_classifier.", "classifier_distill."), "WithTeacher"
MULTI_LABEL = "multi_label_classification"
PROBLEMS = (None, MULTI_LABEL, "single_label_classification")


class TransformersNetwork(nn.Module):
    """A classifier of `transformers` that returns logits, or the probabilities of several findings."""

    def __init__(self, network: nn.Module, *, several: bool) -> None:
        super().__init__()
        self.network, self.several = network, several

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(pixel_values=images).logits
        return logits.sigmoid() if self.several else logits


def read_transformers_folder(spec: str, folder: Path, config: dict[str, Any]) -> LoadedNetwork:
    """Read `config.json`, the weights and, if it is there, `preprocessor_config.json`."""
    size = weights_size(spec, folder)
    names = _checked_class_names(spec, config)
    side, mean, std = _read_preprocessing(spec, folder)
    weights, notes = strip_wrapper_prefixes(read_weights(folder))
    with TensorSizeLimit(spec, size):
        network = _build_transformers(spec, config, names, weights)
    return LoadedNetwork(
        TransformersNetwork(network, several=config.get("problem_type") == MULTI_LABEL),
        size=side,
        mean=mean,
        std=std,
        # LABEL_0, LABEL_1, ... are defaults, not names.
        classes=() if all(n == f"LABEL_{i}" for i, n in enumerate(names)) else names,
        notes=(*notes, *note_dtype_conversions(weights.values())),
    )


def _checked_class_names(spec: str, config: dict[str, Any]) -> tuple[str, ...]:
    """Check that a configuration contains only allowed fields; return the class names.

    Raises:
        InputError: If it contains others.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise InputError(
            f"{spec} is not a supported image classifier (model_type '{quote_text(kind, 40)}' in "
            f"{CONFIG}): docs/models.md lists the supported types; for others give python:MODULE:FUNCTION."
        )
    given = {key: value for key, value in config.items() if key not in METADATA}
    check_arguments(spec, given, FIELDS)
    if config.get("problem_type") not in PROBLEMS:
        raise InputError(f"{spec} has a problem_type that is not classification.")
    return _id2label_names(spec, config)


def _id2label_names(spec: str, config: dict[str, Any]) -> tuple[str, ...]:
    """Return the class names in the order of `id2label`."""
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
        or not all(map(is_short_text, names.values()))
    ):
        raise InputError(
            f"{spec} has a {CONFIG} whose id2label does not name the classes 0, 1, 2 and so on."
        )
    return tuple(names[str(i)] for i in range(len(names)))


def _build_transformers(
    spec: str, config: dict[str, Any], names: tuple[str, ...], weights: Weights
) -> nn.Module:
    """Build the network and load its weights; every tensor must be in the file."""
    try:
        from transformers import CONFIG_MAPPING, AutoModelForImageClassification
    except ImportError:
        raise InputError(f"{spec} needs transformers: 'pip install straylight[hf]'.") from None
    given = {key: value for key, value in config.items() if key in FIELDS}
    try:
        with _suppress_transformers_logging():
            made: Any = CONFIG_MAPPING[config["model_type"]]
            settings = made(**given, id2label=dict(enumerate(names)), num_labels=len(names))
            kind = _model_class(
                AutoModelForImageClassification._model_mapping[type(settings)], weights
            )
            network, loading_info = kind.from_pretrained(
                None,
                config=settings,
                state_dict=weights,
                attn_implementation="eager",
                dtype="float32",
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below with all other mismatches
            )
    except InputError:
        raise
    except Exception as error:
        # Its model classes raise exceptions of all types.
        raise InputError(
            f"{spec} is not an image classifier that transformers can build ({reason_of(error)})."
        ) from error
    mismatched = [key[0] for key in loading_info["mismatched_keys"]]
    wrong = sorted({*loading_info["missing_keys"], *loading_info["unexpected_keys"], *mismatched})
    if wrong:
        raise InputError(
            f"{spec} does not fit its {CONFIG}: {len(wrong)} tensors are missing, unexpected or of "
            f"another shape (first: {quote_text(wrong[0])})."
        )
    built: nn.Module = network
    return built


def _model_class(kinds: Any, weights: Weights) -> Any:  # noqa: ANN401 (classes of transformers)
    """Return the model class for the tensors: DeiT and LeViT also have one with a distillation head."""
    if not isinstance(kinds, tuple):
        return kinds
    teacher = any(name.startswith(TEACHER) for name in weights)
    return next(kind for kind in kinds if kind.__name__.endswith(TEACHER_CLASS) == teacher)


@contextmanager
def _suppress_transformers_logging() -> Iterator[None]:
    """Suppress the library's progress bars and log messages; mismatches are reported by the reader."""
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


def _read_preprocessing(
    spec: str, folder: Path
) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Read side, mean and std, converted to images in [0, 1] (the file's are for 0..255 times a factor)."""
    path = folder / PREPROCESSOR
    if not path.is_file():
        return 0, (), ()
    try:
        settings = read_json(path)
        cropped = settings.get("do_center_crop") and "crop_size" in settings
        size = _square_side(settings.get("crop_size" if cropped else "size"))
        factor = float(LEVELS * settings.get("rescale_factor", 1 / LEVELS))
        if not settings.get("do_rescale", True):
            factor = float(LEVELS)
        if not settings.get("do_normalize", True):
            return size, (0.0,) * 3, (1 / factor,) * 3
        given = [settings.get(key) or [] for key in ("image_mean", "image_std")]
        if not all(map(is_channel_values, given)) or not 0 < factor < 1e6:
            raise ValueError("its mean, std or factor are not numbers for each channel")
        mean, std = (tuple(value / factor for value in values) for values in given)
    except (ValueError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        raise InputError(
            f"{spec} has a {PREPROCESSOR} that cannot be read ({reason_of(error)})."
        ) from error
    return size, mean, std


def _square_side(size: object) -> int:
    """Return the side of square images (0: unknown).

    >>> _square_side(224), _square_side({"shortest_edge": 224}), _square_side({"height": 96, "width": 128})
    (224, 224, 0)
    """
    sides = list(size.values()) if isinstance(size, dict) else [size]
    side: Any = sides[0] if sides and sides.count(sides[0]) == len(sides) else 0
    whole = isinstance(side, int) and not isinstance(side, bool)
    return side if whole and 0 < side <= LARGEST_SIDE else 0
