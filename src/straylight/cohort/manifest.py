"""A manifest: a table of image files and their labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from straylight.cohort.columns import LONGEST, MOST_ROWS, read_columns
from straylight.cohort.known_layouts import missing_columns_error
from straylight.cohort.one_hot import is_binary_row, label_from_columns
from straylight.core.errors import InputError, quote_text
from straylight.data.class_names import match_names
from straylight.data.files.dicom import DicomView
from straylight.data.findings import Names, findings_of


@dataclass(frozen=True, kw_only=True)
class Reading(DicomView):
    """Options for reading labelled images: manifest columns, root folder and display settings.

    Attributes:
        file, label: Names of the columns of a manifest.
        root: Folder or archive with the files of a manifest (empty: the manifest's own folder).
        window, frame: Display of medical images, as in `DicomView`.

    Raises:
        InputError: If the window is invalid.
    """

    file: str = "file"
    label: str = "label"
    root: str = ""


@dataclass(frozen=True)
class ManifestRow:
    """A row of a manifest: an image file and its label.

    Attributes:
        number: Line number as in an editor (the header is line 1).
        file: Name relative to the root folder, with ``/``.
        label: Class, or findings with ``|`` between them.
        skip_reason: Why the image has no single label (empty: it has one).
    """

    number: int
    file: str
    label: str
    skip_reason: str = ""


def read_manifest(
    path: Path,
    file: str,
    label: str,
    *,
    may_be_empty: bool = False,
    classes: Names | None = None,
    root: Path | None = None,
) -> list[ManifestRow]:
    """Read the rows of a CSV (UTF-8) or Parquet manifest.

    Args:
        path: The table.
        file, label: Its columns; those of well-known data sets are detected (see `find_layout`).
        may_be_empty: Accept an empty label, which means no finding.
        classes: Class names of the classifier, which may have one column each.
        root: Folder of the files, for names with an absolute path (None: the table's own folder).

    Raises:
        InputError: If it cannot be read, a column is missing or duplicated, it has more than `MOST_ROWS`
            rows, another field is empty, a file is outside the root folder, or a file has two labels.
            A duplicated row is kept once.
    """
    rows: dict[str, ManifestRow] = {}
    base = (root or path.parent).absolute()
    for number, name, word, skip_reason in _iterate_labelled_rows(path, file, label, classes):
        if not name or not (word or skip_reason or may_be_empty):
            raise InputError(
                f"{path}, line {number}: both {quote_text(file)} and {quote_text(label)} must be given."
            )
        if len(name + word) > LONGEST or any(c < " " and c != "\0" for c in name + word):
            raise InputError(
                f"{path}, line {number}: a field is longer than {LONGEST} characters or has control "
                "characters: look for an unclosed quote."
            )
        row = ManifestRow(number, resolve_inside(path, number, name, base), word, skip_reason)
        first = rows.setdefault(row.file, row)
        if (first.label, first.skip_reason) != (row.label, row.skip_reason):
            raise InputError(
                f"{path}, line {number}: {quote_text(row.file)} is {quote_text(row.label)}, but "
                f"{quote_text(first.label)} in line {first.number}: give each file one label."
            )
        if len(rows) > MOST_ROWS:
            raise InputError(f"{path} has more than {MOST_ROWS:,} rows: give a subset.")
    if not rows:
        raise missing_columns_error(str(path), file, label, [file, label])
    return list(rows.values())


def _iterate_labelled_rows(
    path: Path, file: str, label: str, classes: Names | None
) -> Iterator[tuple[int, str, str, str]]:
    """Yield the line number, file, label and, if there is no label, the reason."""
    table = read_columns(path, file, label, findings_of(classes) or tuple(classes or ()))
    known = match_names(table.classes, findings_of(classes) or classes or table.classes)
    for number, name, words in table.rows:
        if table.classes and classes is None and not is_binary_row(words):
            raise missing_columns_error(str(path), file, label, table.head)
        if table.classes:
            yield (
                number,
                name,
                *label_from_columns(path, number, words, table.classes, classes, known=known),
            )
        else:
            yield number, name, words[0], ""


def resolve_inside(path: Path, number: int, file: str, base: Path) -> str:
    """Return a file's name relative to the root, after checking that it does not lead outside."""
    name = PurePosixPath(file.strip().replace("\\", "/"))
    if name.is_absolute() and ".." not in name.parts and name.is_relative_to(base.as_posix()):
        name = name.relative_to(base.as_posix())
    parts: Sequence[str] = name.parts or ("..",)
    if name.is_absolute() or ".." in parts or ":" in parts[0] or "\0" in file:
        raise InputError(
            f"{path}, line {number}: '{quote_text(file)}' is outside the folder of the files: give names "
            "relative to it, and the folder with --reading root=FOLDER."
        )
    return str(name)
