"""Cohorts from arrays of images and labels."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from straylight.cohort.cohort import Cohort
from straylight.cohort.label_arrays import class_names_from_array, number_label_array
from straylight.cohort.manifest import Reading
from straylight.core.conventions import Shape
from straylight.core.errors import InputError, join_names
from straylight.data.files.arrays import image_set_from_array
from straylight.data.findings import Names
from straylight.data.images import SkippedImage


def cohort_from_arrays(
    arrays: dict[str, NDArray[Any]],
    shape: Shape,
    class_names: Names | None,
    spec: str,
    reading: Reading,
) -> Cohort:
    """Load a cohort from the arrays ``images`` and ``labels``."""
    if not {"images", "labels"} <= arrays.keys():
        splits = [name.removesuffix("_images") for name in arrays if name.endswith("_images")]
        hint = f" Choose a split: {spec}:{splits[-1]}." if splits else ""
        raise InputError(
            f"{spec} has the arrays {join_names(sorted(arrays))}: the arrays images and labels are "
            f"needed.{hint}"
        )
    arrays = {name: np.atleast_1d(array) for name, array in arrays.items()}
    images, labels = arrays["images"], arrays["labels"]
    if len(labels) != len(images):
        raise InputError(
            f"{spec} has labels of shape {labels.shape} for {len(images)} images: give one label per image."
        )
    found = image_set_from_array(images, shape, spec, reading, own=True)
    columns = (
        class_names_from_array(arrays["class_names"], spec) if "class_names" in arrays else None
    )
    numbered = number_label_array(labels, columns, class_names, spec)
    unlabelled = tuple(SkippedImage(f"image {k}", reason) for k, reason in numbered.skipped.items())
    if unlabelled:
        found = replace(found.subset(torch.tensor(list(numbered.numbers))), skipped=unlabelled)
    return Cohort(found, torch.tensor(list(numbered.numbers.values())), numbered.class_names)
