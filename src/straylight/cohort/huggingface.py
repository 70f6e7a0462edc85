"""Cohorts from the rows of a Hugging Face data set."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch

from straylight.cohort.cohort import Cohort
from straylight.cohort.labels import number_names, numeric_class_names
from straylight.cohort.manifest import Reading
from straylight.cohort.numeric_labels import parse_label_numbers
from straylight.core.conventions import Shape
from straylight.core.errors import InputError
from straylight.data.files.huggingface import open_split
from straylight.data.files.selection import ImageFile, Selection, decode_selection
from straylight.data.findings import Names
from straylight.data.images import SkippedImage


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows with an image and a label.

    Attributes:
        chosen: The images; iterating over them fills `labels`.
        labels: Names or numbers.
        class_names: Names that the data set states (None: it states none).
    """

    chosen: Selection
    labels: list[str | int]
    class_names: tuple[str, ...] | None


@contextmanager
def open_labelled(spec: str, reading: Reading) -> Iterator[LabelledRows]:
    """Open ``hf:NAME_OR_FOLDER:SPLIT`` with the columns ``image`` and ``label``.

    Raises:
        InputError: If it cannot be loaded, has other columns, or labels of another type.
    """
    with open_split(spec, None) as split:
        default = reading.file == Reading().file
        column = split.column(split.image_column() if default else reading.file, "file")
        label = split.column(reading.label, "label")
        names = getattr(split.features[label], "names", None)
        rows = split.rows.select_columns([column, label])
        labels: list[str | int] = []

        def files() -> Iterator[ImageFile]:
            labels.clear()
            for index, row in enumerate(split.each(rows)):
                value = row[label]
                if isinstance(value, float) and value == value // 1:
                    value = int(value)
                if not isinstance(value, str | int):
                    raise InputError(
                        f"{spec}, row {index}: the column {label} has {type(value).__name__}: it must "
                        "have one class per image, by name or number."
                    )
                if names and isinstance(value, int):
                    if not 0 <= value < len(names):
                        raise InputError(
                            f"{spec}, row {index}: there is no class number {value}: the data set has "
                            f"{len(names)} classes."
                        )
                    value = names[value]
                labels.append(value)
                yield ImageFile(index, partial(split.read, row[column]))

        chosen = Selection(spec=spec, files=files, name="row {}".format, skipped=split.skipped)
        yield LabelledRows(chosen, labels, None if names is None else tuple(names))


def cohort_from_huggingface(
    spec: str, shape: Shape, class_names: Names | None, reading: Reading
) -> Cohort:
    """Load a split of a Hugging Face data set; numbers without names index the model's classes."""
    with open_labelled(spec, reading) as rows:
        images, kept = decode_selection(rows.chosen, shape, reading)
    numbered = [label for label in rows.labels if isinstance(label, int)]
    names = class_names or rows.class_names or numeric_class_names(max(numbered, default=0))
    by_name = rows.class_names is None and parse_label_numbers(names) is not None
    if numbered and not by_name and not 0 <= min(numbered) <= max(numbered) < len(names):
        raise InputError(f"{spec} has labels outside 0..{len(names) - 1}, the model's classes.")
    labels = [
        (str(label) if by_name else names[label]) if isinstance(label, int) else label
        for label in rows.labels
    ]
    result = number_names(labels, names if numbered else class_names or rows.class_names, spec)
    stay = [place for place, row in enumerate(kept) if row in result.numbers]
    unlabelled = tuple(SkippedImage(f"row {row}", reason) for row, reason in result.skipped.items())
    numbers = torch.tensor([result.numbers[kept[place]] for place in stay])
    found = replace(images.subset(torch.tensor(stay)), skipped=images.skipped + unlabelled)
    return Cohort(found, numbers, result.class_names)
