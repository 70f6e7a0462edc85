"""The labelled medical images that an audit is scored on. No attack may import this module."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from straylight.errors import InputError
from straylight.images import ImageSet, find_files, from_array, load_arrays, read_files
from straylight.tensors import Labels, Shape

Names = Sequence[str]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Medical images with their labels.

    Attributes:
        images: The images, resized to the classifier's shape.
        labels: Index into `class_names`, shape (N,).
        class_names: In the classifier's order.
    """

    images: ImageSet
    labels: Labels
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)


def load_cohort(spec: str | Path, shape: Shape, class_names: Names | None = None) -> Cohort:
    """Load labelled images.

    Args:
        spec: A folder with one sub-folder a class; a CSV manifest with the columns ``file,label``
            (files relative to the manifest); or a `.npz` file with ``images`` and ``labels`` (class
            numbers, or names), and optionally ``class_names``.
        shape: Channels, height and width of the classifier's images.
        class_names: The classifier's classes, in its order. None: the sorted names found.

    Raises:
        InputError: If nothing can be read, a file named in a manifest is missing, or a label is not
            one of `class_names`.
    """
    path = Path(spec)
    if path.is_dir():
        return from_class_folders(path, shape, class_names)
    if not path.is_file():
        raise InputError(
            f"{path} does not exist: give class folders, a .csv manifest or a .npz file."
        )
    if path.suffix == ".csv":
        return from_manifest(path, shape, class_names)
    if path.suffix == ".npz":
        return from_npz(path, shape, class_names)
    raise InputError(
        f"{path} is no folder, .csv or .npz file: give the labelled images as one of them."
    )


def from_class_folders(folder: Path, shape: Shape, class_names: Names | None) -> Cohort:
    """Read ``folder/<class>/**/<image>``."""
    files = [file for file in find_files(folder) if file.parent != folder]
    if not files:
        raise InputError(
            f"{folder} has no image in class folders: expected {folder}/CLASS/image.png."
        )
    return from_files(
        files, [file.relative_to(folder).parts[0] for file in files], folder, shape, class_names
    )


def from_manifest(manifest: Path, shape: Shape, class_names: Names | None) -> Cohort:
    """Read a CSV file with the columns ``file`` and ``label``."""
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest} is not a CSV file in UTF-8 ({error}).") from error
    if not rows or not {"file", "label"} <= rows[0].keys():
        raise InputError(f"{manifest} must have the columns file,label and at least one row.")
    files = []
    for line, row in enumerate(rows, start=2):
        if not row["file"] or not row["label"]:
            raise InputError(f"{manifest}, line {line}: both file and label must be given.")
        files.append(manifest.parent / row["file"])
        if not files[-1].is_file():
            raise InputError(f"{manifest}, line {line}: the file {row['file']} does not exist.")
    labels = [row["label"] for row in rows]
    return from_files(files, labels, manifest.parent, shape, class_names)


def from_files(
    files: list[Path], labels: list[str], root: Path, shape: Shape, class_names: Names | None
) -> Cohort:
    """Decode files, leaving out the labels of those that cannot be read."""
    index = label_index(labels, class_names, str(root))
    images, kept = read_files(files, root, shape, str(root))
    numbers = torch.tensor([index[labels[item]] for item in kept])
    return Cohort(images, numbers, tuple(index))


def from_npz(path: Path, shape: Shape, class_names: Names | None) -> Cohort:
    """Read the arrays ``images`` and ``labels``."""
    arrays = load_arrays(path)
    if not {"images", "labels"} <= arrays.keys():
        raise InputError(f"{path} holds {sorted(arrays)}: expected the arrays images and labels.")
    labels = arrays["labels"].squeeze()
    if labels.shape != (len(arrays["images"]),):
        raise InputError(
            f"{path} has labels of shape {arrays['labels'].shape}: give one for each image."
        )
    if "class_names" in arrays:
        class_names = check_same(arrays["class_names"].tolist(), class_names, str(path))
    if np.issubdtype(labels.dtype, np.integer):
        names = list(class_names or map(str, range(int(labels.max()) + 1)))
        if labels.min() < 0 or labels.max() >= len(names):
            raise InputError(f"{path} has labels outside 0..{len(names) - 1}, the model's classes.")
        numbers = torch.from_numpy(labels.astype(np.int64))
        return Cohort(from_array(arrays["images"], shape, str(path)), numbers, tuple(names))
    index = label_index(labels.tolist(), class_names, str(path))
    numbers = torch.tensor([index[name] for name in labels.tolist()])
    return Cohort(from_array(arrays["images"], shape, str(path)), numbers, tuple(index))


def check_same(found: list[str], class_names: Names | None, spec: str) -> Names:
    """Return the common class names, or say how they differ."""
    if class_names is not None and list(class_names) != found:
        raise InputError(
            f"{spec} has the classes {', '.join(found)}; the model has {', '.join(class_names)}."
        )
    return found


def label_index(labels: Sequence[str], class_names: Names | None, spec: str) -> dict[str, int]:
    """Number the classes: in the classifier's order if given, else sorted."""
    if class_names is None:
        return {name: number for number, name in enumerate(sorted(set(labels)))}
    unknown = sorted(set(labels) - set(class_names))
    if unknown:
        raise InputError(
            f"{spec} has the class {', '.join(unknown)}, which the model does not know: "
            f"its classes are {', '.join(class_names)}."
        )
    return {name: number for number, name in enumerate(class_names)}
