"""Rows of a Hugging Face data set as labelled medical images."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from straylight.cohort.reading import Reading
from straylight.core.errors import InputError
from straylight.data.files.huggingface import open_split
from straylight.data.files.selection import File, Selection


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows with an image and a label.

    Attributes:
        chosen: The images; going through them fills `labels`.
        labels: Names or numbers.
        class_names: As the data set says (None: it does not).
    """

    chosen: Selection
    labels: list[str | int]
    class_names: tuple[str, ...] | None


@contextmanager
def open_labelled(spec: str, reading: Reading) -> Iterator[Labelled]:
    """Open ``hf:NAME_OR_FOLDER:SPLIT`` with the columns ``image`` and ``label``.

    Raises:
        InputError: If it cannot be had, has other columns, or labels of another kind.
    """
    with open_split(spec, None) as split:
        default = reading.file == Reading().file
        column = split.column(split.image_column() if default else reading.file, "file")
        label = split.column(reading.label, "label")
        names = getattr(split.features[label], "names", None)
        rows = split.rows.select_columns([column, label])
        labels: list[str | int] = []

        def files() -> Iterator[File]:
            labels.clear()
            for index, row in enumerate(split.each(rows)):
                value = row[label]
                if isinstance(value, float) and value == value // 1:
                    value = int(value)
                if not isinstance(value, str | int):
                    raise InputError(
                        f"{spec}, row {index}: the column {label} holds {type(value).__name__}: it must "
                        "hold one class for each image, by its name or number."
                    )
                if names and isinstance(value, int):
                    if not 0 <= value < len(names):
                        raise InputError(
                            f"{spec}, row {index}: there is no class of the number {value}: the data set "
                            f"names {len(names)}."
                        )
                    value = names[value]
                labels.append(value)
                yield File(index, partial(split.read, row[column]))

        chosen = Selection(spec=spec, files=files, name="row {}".format, skipped=split.skipped)
        yield Labelled(chosen, labels, None if names is None else tuple(names))
