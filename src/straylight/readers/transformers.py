"""Image classifiers of Hugging Face `transformers`, from a folder."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from straylight.errors import InputError
from straylight.readers.brought import Brought, ModelOptions, reason_of
from straylight.readers.graphs import tables
from straylight.readers.hub import CONFIG, WEIGHTS, read_config
from straylight.tensors import LEVELS

PREPROCESSOR = "preprocessor_config.json"
SEVERAL = "multi_label_classification"
# What would run the folder's code, fetch other files, or replace the network's parts.
REFUSED = {
    "auto_map": "code of its own",
    "quantization_config": "quantised weights, which have no gradients",
    "use_pretrained_backbone": "a backbone whose weights are downloaded",
}


class Outputs(nn.Module):
    """The outputs of a classifier of `transformers`: logits, or probabilities of several findings."""

    def __init__(self, network: nn.Module, *, several: bool) -> None:
        super().__init__()
        self.network, self.several = network, several

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(pixel_values=images).logits
        return logits.sigmoid() if self.several else logits


def read_transformers_folder(spec: str, folder: Path, _: ModelOptions) -> Brought:
    """Read `config.json`, `model.safetensors` and, if it is there, `preprocessor_config.json`."""
    config = read_config(spec, folder)
    for key, meaning in REFUSED.items():
        if any(table.get(key) for table in tables(config)):
            raise InputError(f"{spec} has {meaning} ({key} in its {CONFIG}), and is not read.")
    if not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{spec} has no {WEIGHTS}: pickled weights such as pytorch_model.bin can run code and are "
            "not read; save it with save_pretrained(FOLDER), which writes safetensors."
        )
    network = build(spec, folder)
    settings: Any = network.config
    labels = settings.id2label
    names = tuple(labels[i] for i in sorted(labels))
    size, mean, std = preprocessing(spec, folder)
    return Brought(
        Outputs(network, several=config.get("problem_type") == SEVERAL),
        size=size,
        mean=mean,
        std=std,
        # LABEL_0, LABEL_1 stand where nobody named them.
        classes=() if all(n == f"LABEL_{i}" for i, n in enumerate(names)) else names,
    )


def build(spec: str, folder: Path) -> nn.Module:
    """Build the network and fill it; every tensor must be in the file."""
    try:
        from transformers import AutoModelForImageClassification
    except ImportError:
        raise InputError(f"{spec} needs transformers: 'pip install straylight[hf]'.") from None
    try:
        with quiet():
            network, told = AutoModelForImageClassification.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                # Attention named in config.json could be a kernel that is fetched from the hub.
                attn_implementation="eager",
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # told below, with all the rest
            )
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
            f"another shape (first: {wrong[0]})."
        )
    built: nn.Module = network
    return built


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
        said = json.loads(path.read_text(encoding="utf-8"))
        cropped = said.get("do_center_crop") and "crop_size" in said
        size = side_of(said.get("crop_size" if cropped else "size"))
        factor = LEVELS * said.get("rescale_factor", 1 / LEVELS)
        if not said.get("do_rescale", True):
            factor = LEVELS
        if not said.get("do_normalize", True):
            return size, (0.0,) * 3, (1 / factor,) * 3
        mean, std = (
            tuple(v / factor for v in said.get(k, ())) for k in ("image_mean", "image_std")
        )
    except (ValueError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise InputError(
            f"{spec} has a {PREPROCESSOR} that cannot be read ({reason_of(error)})."
        ) from error
    return size, mean, std


def side_of(size: object) -> int:
    """Return the side of square images (0: not said).

    >>> side_of(224), side_of({"shortest_edge": 224}), side_of({"height": 96, "width": 128})
    (224, 224, 0)
    """
    if isinstance(size, dict):
        sides = set(size.values())
        return int(sides.pop()) if len(sides) == 1 else 0
    return size if isinstance(size, int) else 0
