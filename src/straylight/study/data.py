"""Images decoded once for a study, and mapped by all of its cells.

Whatever asks for the same images maps the same file, so that the workers of a node share one copy of
them in its page cache, and 100,000 photographs need not fit into memory. `data/` is a cache: it may be
deleted when no study runs.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from straylight.cohort import Cohort, load_cohort
from straylight.files import write_array, write_text
from straylight.images import ImageSet, Skipped
from straylight.provenance import versions
from straylight.reading import Reading
from straylight.schema import Json
from straylight.sources import load_natural
from straylight.study.digests import digest_of
from straylight.tensors import Shape

FOLDER = "data"


class Data:
    """The decoded images of a study.

    Args:
        study: Its folder.
    """

    def __init__(self, study: Path) -> None:
        self.folder = study / FOLDER

    def natural(self, spec: str, digest: str, shape: Shape, n: int, seed: int) -> ImageSet:
        """Load photographs, as `load_natural` does."""
        key = {"digest": digest, "shape": shape, "n": n, "seed": seed}

        def load() -> tuple[ImageSet, Json]:
            return load_natural(spec, shape, n=n, seed=seed), {}

        return self._mapped(key, spec, load)[0]

    def cohort(
        self, spec: str, digest: str, shape: Shape, classes: tuple[str, ...], reading: Reading
    ) -> Cohort:
        """Load labelled images, as `load_cohort` does."""
        key = {"digest": digest, "shape": shape, "classes": classes}
        key |= asdict(reading) | {"root": ""}

        def load() -> tuple[ImageSet, Json]:
            found = load_cohort(spec, shape, classes, reading=reading)
            return found.images, {"labels": found.labels.tolist()}

        images, said = self._mapped(key, spec, load)
        return Cohort(images, torch.tensor(said["labels"]), classes)

    def _mapped(
        self, key: Json, spec: str, load: Callable[[], tuple[ImageSet, Json]]
    ) -> tuple[ImageSet, Json]:
        name = digest_of([json.dumps(key | versions(), sort_keys=True)])[:16]
        array, description = self.folder / f"{name}.npy", self.folder / f"{name}.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f"{name}.lock"):
            if not description.exists():  # it is written last
                images, said = load()
                said |= {"skipped": [asdict(item) for item in images.skipped]}
                write_array(array, images.pixels.numpy())
                write_text(description, json.dumps(said))
        said = json.loads(description.read_text(encoding="utf-8"))
        # Copy on write: nothing writes to the pixels, and torch wants an array that it could write to.
        pixels = torch.from_numpy(np.load(array, mmap_mode="c", allow_pickle=False))
        return ImageSet(pixels, spec, tuple(Skipped(**item) for item in said["skipped"])), said
