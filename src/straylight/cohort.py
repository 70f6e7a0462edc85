"""The labelled medical images that an audit is scored on. No attack may import this module."""

from collections.abc import Sequence
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from straylight.arrays import NPZ, from_array, load_arrays, load_pair, of_split
from straylight.containers import Container, is_container, open_container
from straylight.errors import InputError, listed, quoted
from straylight.images import ImageSet
from straylight.manifest import PARQUET, read_manifest
from straylight.medmnist import MEDMNIST, load_medmnist
from straylight.pictures import find_pictures, read_pictures
from straylight.reading import Reading
from straylight.tensors import Labels, Shape

Names = Sequence[str]
MOST_CLASSES = 2**16  # where labels alone say how many there are


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


def load_cohort(
    spec: str | Path,
    shape: Shape,
    class_names: Names | None = None,
    *,
    reading: Reading | None = None,
) -> Cohort:
    """Load labelled images.

    Args:
        spec: A folder, or a zip or tar archive, with one sub-folder a class; a CSV or Parquet manifest
            with the columns ``file,label`` (files relative to the manifest); a `.npz` file with
            ``images`` and ``labels`` (class numbers, names, or one-hot), and optionally
            ``class_names``; one in MedMNIST's layout, with its split: ``FILE.npz:test``;
            ``X_NAME.npy`` beside ``y_NAME.npy``; or ``medmnist:NAME@SIZE:SPLIT``. Image files may be
            DICOM.
        shape: Channels, height and width of the classifier's images.
        class_names: The classifier's classes, in its order. None: the sorted names found.
        reading: Columns of a manifest, where its files lie, how DICOM is shown (None: `Reading`'s).

    Raises:
        InputError: If nothing can be read, a manifest is broken, or a label is not one of
            `class_names`.
    """
    reading = reading or Reading()
    if str(spec).startswith(MEDMNIST):
        arrays, names = load_medmnist(str(spec))
        return from_arrays(arrays, shape, check_same(names, class_names, str(spec)), str(spec))
    file, _, split = str(spec).partition(f"{NPZ}:")
    if split:
        arrays = load_arrays(Path(file + NPZ))
        return from_arrays(of_split(arrays, split, str(spec)), shape, class_names, str(spec))
    path = Path(spec)
    if is_container(path):
        with open_container(path) as container:
            return from_class_folders(container, shape, class_names, reading)
    if not isfile(path):
        raise InputError(
            f"{path} does not exist: give class folders, an archive, a manifest or an array file."
        )
    if path.suffix.lower() in {".csv", PARQUET}:
        return from_manifest(path, shape, class_names, reading)
    if path.suffix == NPZ:
        return from_arrays(load_arrays(path), shape, class_names, str(path))
    if path.suffix == ".npy":
        return from_arrays(load_pair(path), shape, class_names, str(path))
    raise InputError(
        f"{path} is no folder, archive (.zip, .tar), manifest (.csv, .parquet), .npz or .npy file: give "
        "the labelled images as one of them."
    )


def from_class_folders(
    container: Container, shape: Shape, class_names: Names | None, reading: Reading
) -> Cohort:
    """Read ``<class>/**/<image>``."""
    files = [name for name in find_pictures(container, dicom=True) if "/" in name]
    if not files:
        raise InputError(
            f"{container.spec} has no image in class folders: expected "
            f"{container.spec}/CLASS/image.png."
        )
    labels = [name.partition("/")[0] for name in files]
    return from_files(
        container,
        files,
        labels,
        spec=container.spec,
        shape=shape,
        class_names=class_names,
        reading=reading,
    )


def from_manifest(
    manifest: Path, shape: Shape, class_names: Names | None, reading: Reading
) -> Cohort:
    """Read the files that a table names."""
    rows = read_manifest(manifest, reading.file, reading.label)
    root = Path(reading.root) if reading.root else manifest.parent
    if not is_container(root):
        raise InputError(f"{root} is no folder or archive: give --reading root=FOLDER.")
    with open_container(root) as container:
        for row in rows:
            if not container.has(row.file):
                raise InputError(
                    f"{manifest}, line {row.number}: the file {quoted(row.file)} does not exist in "
                    f"{root}."
                )
        files, labels = [row.file for row in rows], [row.label for row in rows]
        return from_files(
            container,
            files,
            labels,
            spec=str(manifest),
            shape=shape,
            class_names=class_names,
            reading=reading,
        )


def from_files(
    container: Container,
    files: list[str],
    labels: list[str],
    *,
    spec: str,
    shape: Shape,
    class_names: Names | None,
    reading: Reading,
) -> Cohort:
    """Decode files, leaving out the labels of those that cannot be read."""
    index = label_index(labels, class_names, spec)
    images, kept = read_pictures(container, files, shape, spec, reading)
    numbers = torch.tensor([index[labels[item]] for item in kept])
    return Cohort(images, numbers, tuple(index))


def from_arrays(
    arrays: dict[str, NDArray[Any]], shape: Shape, class_names: Names | None, spec: str
) -> Cohort:
    """Take the arrays ``images`` and ``labels``."""
    if not {"images", "labels"} <= arrays.keys():
        splits = [name.removesuffix("_images") for name in arrays if name.endswith("_images")]
        hint = f" Choose a split: {spec}:{splits[-1]}." if splits else ""
        raise InputError(
            f"{spec} holds {listed(sorted(arrays))}: expected the arrays images and labels.{hint}"
        )
    arrays = {name: np.atleast_1d(array) for name, array in arrays.items()}
    labels = class_numbers(arrays["labels"], spec)
    if labels.shape != (len(arrays["images"]),):
        raise InputError(
            f"{spec} has labels of shape {arrays['labels'].shape} for {len(arrays['images'])} images: "
            "give one for each image."
        )
    if "class_names" in arrays:
        class_names = check_same(names_in(arrays["class_names"], spec), class_names, spec)
    images = from_array(arrays["images"], shape, spec)
    if np.issubdtype(labels.dtype, np.integer):
        highest = min(int(labels.max()), MOST_CLASSES)
        names = list(class_names or map(str, range(highest + 1)))
        if labels.min() < 0 or labels.max() >= len(names):
            raise InputError(f"{spec} has labels outside 0..{len(names) - 1}, the model's classes.")
        numbers = torch.from_numpy(labels.astype(np.int64))
        return Cohort(images, numbers, tuple(names))
    index = label_index(labels.tolist(), class_names, spec)
    numbers = torch.tensor([index[name] for name in labels.tolist()])
    return Cohort(images, numbers, tuple(index))


def names_in(array: NDArray[Any], spec: str) -> list[str]:
    """Return an array of class names as texts."""
    names = list(map(str, array.ravel().tolist()))
    if array.dtype.kind != "U" or len(set(names)) < len(names):
        raise InputError(f"{spec} has class_names that are no texts, or one of them twice.")
    return names


def class_numbers(labels: NDArray[Any], spec: str) -> NDArray[Any]:
    """Return labels of one dimension: columns are squeezed, one-hot rows become numbers."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all()):
            raise InputError(
                f"{spec} has labels of shape {labels.shape} that are not one-hot: several findings an "
                "image are not audited; give one label for each image."
            )
        numbers: NDArray[Any] = labels.argmax(1)
        return numbers
    if labels.dtype.kind not in "iuU":
        raise InputError(
            f"{spec} has labels of type {quoted(labels.dtype)}: give class numbers, names or one-hot "
            "rows."
        )
    return labels.reshape(len(labels)) if labels.size == len(labels) else labels


def check_same(found: list[str], class_names: Names | None, spec: str) -> Names:
    """Return the common class names, or say how they differ."""
    if class_names is not None and list(class_names) != found:
        raise InputError(
            f"{spec} has the classes {listed(found)}; the model has {listed(class_names)}."
        )
    return found


def label_index(labels: Sequence[str], class_names: Names | None, spec: str) -> dict[str, int]:
    """Number the classes: in the classifier's order if given, else sorted."""
    if class_names is None:
        return {name: number for number, name in enumerate(sorted(set(labels)))}
    unknown = sorted(set(labels) - set(class_names))
    if unknown:
        raise InputError(
            f"{spec} has the class {listed(unknown)}, which the model does not know: "
            f"its classes are {listed(class_names)}."
        )
    return {name: number for number, name in enumerate(class_names)}
