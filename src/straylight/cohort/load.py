"""The labelled medical images that an audit is scored on. No attack may import this module."""

from dataclasses import dataclass, replace
from os.path import isfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from straylight.cohort.columns import PARQUET, TEXTS
from straylight.cohort.file_lookup import Lookup
from straylight.cohort.huggingface import open_labelled
from straylight.cohort.label_arrays import names_in, number_array
from straylight.cohort.labels import number_names, numerals
from straylight.cohort.manifest import Row, read_manifest
from straylight.cohort.medmnist import MEDMNIST, load_medmnist
from straylight.cohort.numeric_labels import numbers_in
from straylight.cohort.reading import Reading
from straylight.cohort.splits import check_no_splits
from straylight.core.checks import check_kind
from straylight.core.errors import InputError, listed, quoted
from straylight.core.tensors import Labels, Shape
from straylight.data.files.arrays import NPZ, from_array, load_arrays, load_pair, of_split
from straylight.data.files.containers import Container, is_container, open_container
from straylight.data.files.discovery import find_pictures, first_of
from straylight.data.files.huggingface import HF
from straylight.data.files.regular import check_regular
from straylight.data.files.selection import collect, read_pictures
from straylight.data.findings import Names, findings_of
from straylight.data.images import ImageSet, Skipped
from straylight.models.specification import plain_names


@dataclass(frozen=True, eq=False)
class Cohort:
    """Medical images with their labels.

    Attributes:
        images: The images, resized to the classifier's shape.
        labels: Index into `class_names`, shape (N,).
        class_names: In the classifier's order.

    Raises:
        InputError: If one is of another type, or a name cannot be recorded.
    """

    images: ImageSet
    labels: Labels
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_kind(self.images, "images", ImageSet, "load_cohort(...).images or ImageSet(...)")
        check_kind(self.labels, "labels", torch.Tensor, "torch.tensor([0, 1, ...])")
        try:
            names = plain_names(self.class_names)
        except InputError as error:
            raise InputError(f"{quoted(self.images.spec)}: {error}") from error
        object.__setattr__(self, "class_names", names)

    def __len__(self) -> int:
        return len(self.images)

    def counts(self) -> dict[str, int]:
        """Return how many images each class has."""
        found = torch.bincount(self.labels, minlength=len(self.class_names)).tolist()
        return dict(zip(self.class_names, found, strict=True))


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
            ``images`` and ``labels`` (class numbers, names, one-hot, or 0 or 1 for each finding), and
            optionally ``class_names``; one in MedMNIST's layout, with its split: ``FILE.npz:test``;
            ``X_NAME.npy`` beside ``y_NAME.npy``; ``medmnist:NAME@SIZE:SPLIT``; or
            ``hf:NAME_OR_FOLDER:SPLIT`` (see `open_labelled`). Image files may be DICOM.
        shape: Channels, height and width of the classifier's images.
        class_names: The classifier's classes, in its order. None: the sorted names found. Where they are
            findings (``no F``, ``F``, or ``no finding``, ``F``, ``G``, ...), labels may be lists of
            findings with ``|`` between them; see `straylight.data.findings`.
        reading: Columns of a manifest, where its files lie, how DICOM is shown (None: `Reading`'s).

    Raises:
        InputError: If nothing can be read, a manifest is broken, or a label is not one of
            `class_names`.
    """
    reading = reading or Reading()
    if str(spec).startswith(MEDMNIST):
        return from_arrays(load_medmnist(str(spec)), shape, class_names, str(spec), reading)
    if str(spec).startswith(HF):
        return from_hub(str(spec), shape, class_names, reading)
    file, colon, split = str(spec).rpartition(":")
    if colon and split and file.lower().endswith(NPZ):
        check_regular(Path(file))
        arrays = load_arrays(Path(file))
        of_part = of_split(arrays, split, str(spec))
        return from_arrays(of_part, shape, class_names, str(spec), reading)
    path = Path(spec)
    check_regular(path)
    if is_container(path):
        with open_container(path) as container:
            return from_class_folders(container, shape, class_names, reading)
    if not isfile(path):
        raise InputError(
            f"{path} does not exist: give class folders, an archive, a manifest or an array file."
        )
    if path.suffix.lower() in {*TEXTS, PARQUET}:
        return from_manifest(path, shape, class_names, reading)
    if path.suffix.lower() in {NPZ, ".npy"}:
        arrays = load_arrays(path) if path.suffix.lower() == NPZ else load_pair(path)
        return from_arrays(arrays, shape, class_names, str(path), reading)
    raise InputError(
        f"{path} is no folder, archive (.zip, .tar), manifest (.csv, .tsv, .parquet), .npz or .npy file: "
        "give the labelled images as one of them."
    )


def from_class_folders(
    container: Container, shape: Shape, class_names: Names | None, reading: Reading
) -> Cohort:
    """Read ``<class>/**/<image>``.

    Raises:
        InputError: If there are no images in class folders, if the folders are parts of a data set, or if
            links put one image into two classes.
    """
    found = find_pictures(container, dicom=True)
    files = [name for name in found.names if "/" in name]
    if not files:
        raise InputError(
            f"{container.spec} has no image in class folders: expected "
            f"{container.spec}/CLASS/image.png{first_of(found.skipped)}."
        )
    check_no_splits(container.spec, files, class_names)
    for name, first in container.twice.items():
        if name.partition("/")[0] != first.partition("/")[0]:
            raise InputError(
                f"{container.spec}: {quoted(name)} is the same as {quoted(first)}, by a link: give each "
                "image one class."
            )
    loose = tuple(Skipped(quoted(n), "in no class folder") for n in found.names if "/" not in n)
    return from_files(
        *(container, files, [name.partition("/")[0] for name in files]),
        spec=container.spec,
        shape=shape,
        class_names=class_names,
        reading=reading,
        skipped=(*loose, *found.skipped),
    )


def from_manifest(
    manifest: Path, shape: Shape, class_names: Names | None, reading: Reading
) -> Cohort:
    """Read the files that a table names."""
    root = Path(reading.root) if reading.root else manifest.parent
    rows = read_manifest(
        *(manifest, reading.file, reading.label),
        may_be_empty=bool(findings_of(class_names)),
        classes=class_names,
        root=root,
    )
    if not is_container(root):
        check_regular(root)
        raise InputError(f"{root} is no folder or archive: give --reading root=FOLDER.")
    with open_container(root) as container:
        lookup, lines, same = Lookup(container), dict[str, int](), dict[object, Row]()
        files, labels, left_out = [], [], []
        for row in rows:
            try:
                file = lookup.find(row.file)
            except LookupError as error:
                raise InputError(f"{manifest}, line {row.number}: {error}.") from None
            if lines.setdefault(file, row.number) != row.number:
                raise InputError(
                    f"{manifest}, line {row.number}: {quoted(row.file)} is the file {quoted(file)} of line "
                    f"{lines[file]}: name each file once."
                )
            first = same.setdefault(container.identity(file), row)
            if (first.label, first.left_out) != (row.label, row.left_out):
                raise InputError(
                    f"{manifest}, line {row.number}: {quoted(row.file)} is the same file as "
                    f"{quoted(first.file)} of line {first.number}, by a link, but has another "
                    "label: give each file one label."
                )
            if row.left_out:
                left_out.append(Skipped(quoted(file), row.left_out))
            else:
                files.append(file)
                labels.append(row.label)
        if not files:
            raise InputError(f"{manifest} has no image with one label{first_of(tuple(left_out))}.")
        return from_files(
            *(container, files, labels),
            spec=str(manifest),
            shape=shape,
            class_names=class_names,
            reading=reading,
            skipped=tuple(left_out),
        )


def from_hub(spec: str, shape: Shape, class_names: Names | None, reading: Reading) -> Cohort:
    """Read a split of a Hugging Face data set; numbers without names count the model's classes."""
    with open_labelled(spec, reading) as rows:
        images, kept = collect(rows.chosen, shape, reading)
    numbered = [label for label in rows.labels if isinstance(label, int)]
    names = class_names or rows.class_names or numerals(max(numbered, default=0))
    by_name = rows.class_names is None and numbers_in(names) is not None
    if numbered and not by_name and not 0 <= min(numbered) <= max(numbered) < len(names):
        raise InputError(f"{spec} has labels outside 0..{len(names) - 1}, the model's classes.")
    labels = [
        (str(label) if by_name else names[label]) if isinstance(label, int) else label
        for label in rows.labels
    ]
    told = number_names(labels, names if numbered else class_names or rows.class_names, spec)
    stay = [place for place, row in enumerate(kept) if row in told.numbers]
    left_out = tuple(Skipped(f"row {row}", reason) for row, reason in told.left_out.items())
    numbers = torch.tensor([told.numbers[kept[place]] for place in stay])
    found = replace(images.subset(torch.tensor(stay)), skipped=images.skipped + left_out)
    return Cohort(found, numbers, told.class_names)


def from_files(
    container: Container,
    files: list[str],
    labels: list[str],
    *,
    spec: str,
    shape: Shape,
    class_names: Names | None,
    reading: Reading,
    skipped: tuple[Skipped, ...] = (),
) -> Cohort:
    """Decode files, leaving out those that cannot be read or have no one label."""
    told = number_names(labels, class_names, spec)
    chosen = list(told.numbers)
    wanted = [files[k] for k in chosen]
    images, kept = read_pictures(container, wanted, shape, spec, reading, skipped=skipped)
    left_out = tuple(Skipped(quoted(files[k]), reason) for k, reason in told.left_out.items())
    numbers = torch.tensor([told.numbers[chosen[item]] for item in kept])
    return Cohort(replace(images, skipped=images.skipped + left_out), numbers, told.class_names)


def from_arrays(
    arrays: dict[str, NDArray[Any]],
    shape: Shape,
    class_names: Names | None,
    spec: str,
    reading: Reading,
) -> Cohort:
    """Take the arrays ``images`` and ``labels``."""
    if not {"images", "labels"} <= arrays.keys():
        splits = [name.removesuffix("_images") for name in arrays if name.endswith("_images")]
        hint = f" Choose a split: {spec}:{splits[-1]}." if splits else ""
        raise InputError(
            f"{spec} holds {listed(sorted(arrays))}: expected the arrays images and labels.{hint}"
        )
    arrays = {name: np.atleast_1d(array) for name, array in arrays.items()}
    images, labels = arrays["images"], arrays["labels"]
    if len(labels) != len(images):
        raise InputError(
            f"{spec} has labels of shape {labels.shape} for {len(images)} images: give one for each image."
        )
    found = from_array(images, shape, spec, reading, own=True)
    columns = names_in(arrays["class_names"], spec) if "class_names" in arrays else None
    told = number_array(labels, columns, class_names, spec)
    left_out = tuple(Skipped(f"image {k}", reason) for k, reason in told.left_out.items())
    if left_out:
        found = replace(found.subset(torch.tensor(list(told.numbers))), skipped=left_out)
    return Cohort(found, torch.tensor(list(told.numbers.values())), told.class_names)
