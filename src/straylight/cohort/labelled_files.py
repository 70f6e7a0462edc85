"""Cohorts from image files: class folders, or a manifest that names them."""

from dataclasses import replace
from pathlib import Path

import torch

from straylight.cohort.cohort import Cohort
from straylight.cohort.file_lookup import FileLookup
from straylight.cohort.labels import number_names
from straylight.cohort.manifest import ManifestRow, Reading, read_manifest
from straylight.cohort.splits import check_no_splits
from straylight.core.conventions import Shape
from straylight.core.errors import InputError, quote_text
from straylight.data.files.container import Container
from straylight.data.files.discovery import find_image_files, format_first_skipped
from straylight.data.files.open_container import is_container, open_container
from straylight.data.files.regular import check_not_special
from straylight.data.files.selection import decode_files
from straylight.data.findings import Names, findings_of
from straylight.data.images import SkippedImage


def cohort_from_class_folders(
    container: Container, shape: Shape, class_names: Names | None, reading: Reading
) -> Cohort:
    """Load a cohort from class folders, ``<class>/**/<image>``.

    Raises:
        InputError: If there are no images in class folders, the folders are splits of a data set, or links
            put one image into two classes.
    """
    found = find_image_files(container, dicom=True)
    files = [name for name in found.names if "/" in name]
    if not files:
        raise InputError(
            f"{container.spec} has no image in class folders: expected "
            f"{container.spec}/CLASS/image.png{format_first_skipped(found.skipped)}."
        )
    check_no_splits(container.spec, files, class_names)
    for name, first in container.aliases.items():
        if name.partition("/")[0] != first.partition("/")[0]:
            raise InputError(
                f"{container.spec}: {quote_text(name)} is the same as {quote_text(first)}, by a link: "
                "give each image one class."
            )
    loose = tuple(
        SkippedImage(quote_text(n), "not in a class folder") for n in found.names if "/" not in n
    )
    return _cohort_from_files(
        *(container, files, [name.partition("/")[0] for name in files]),
        spec=container.spec,
        shape=shape,
        class_names=class_names,
        reading=reading,
        skipped=(*loose, *found.skipped),
    )


def cohort_from_manifest(
    manifest: Path, shape: Shape, class_names: Names | None, reading: Reading
) -> Cohort:
    """Load a cohort from the files that a table names."""
    root = Path(reading.root) if reading.root else manifest.parent
    rows = read_manifest(
        *(manifest, reading.file, reading.label),
        may_be_empty=bool(findings_of(class_names)),
        classes=class_names,
        root=root,
    )
    if not is_container(root):
        check_not_special(root)
        raise InputError(f"{root} is not a folder or an archive: give --reading root=FOLDER.")
    with open_container(root) as container:
        lookup, lines, same = FileLookup(container), dict[str, int](), dict[object, ManifestRow]()
        files, labels, unlabelled = [], [], []
        for row in rows:
            try:
                file = lookup.find(row.file)
            except LookupError as error:
                raise InputError(f"{manifest}, line {row.number}: {error}.") from None
            if lines.setdefault(file, row.number) != row.number:
                raise InputError(
                    f"{manifest}, line {row.number}: {quote_text(row.file)} is the file "
                    f"{quote_text(file)} of line {lines[file]}: name each file once."
                )
            first = same.setdefault(container.identity(file), row)
            if (first.label, first.skip_reason) != (row.label, row.skip_reason):
                raise InputError(
                    f"{manifest}, line {row.number}: {quote_text(row.file)} is the same file as "
                    f"{quote_text(first.file)} of line {first.number}, by a link, but has another "
                    "label: give each file one label."
                )
            if row.skip_reason:
                unlabelled.append(SkippedImage(quote_text(file), row.skip_reason))
            else:
                files.append(file)
                labels.append(row.label)
        if not files:
            raise InputError(
                f"{manifest} has no image with a single label{format_first_skipped(tuple(unlabelled))}."
            )
        return _cohort_from_files(
            *(container, files, labels),
            spec=str(manifest),
            shape=shape,
            class_names=class_names,
            reading=reading,
            skipped=tuple(unlabelled),
        )


def _cohort_from_files(
    container: Container,
    files: list[str],
    labels: list[str],
    *,
    spec: str,
    shape: Shape,
    class_names: Names | None,
    reading: Reading,
    skipped: tuple[SkippedImage, ...] = (),
) -> Cohort:
    """Decode labelled files, skipping those that cannot be read or have no single label."""
    numbered = number_names(labels, class_names, spec)
    chosen = list(numbered.numbers)
    wanted = [files[k] for k in chosen]
    images, kept = decode_files(container, wanted, shape, spec, reading, skipped=skipped)
    unlabelled = tuple(
        SkippedImage(quote_text(files[k]), reason) for k, reason in numbered.skipped.items()
    )
    numbers = torch.tensor([numbered.numbers[chosen[item]] for item in kept])
    return Cohort(
        replace(images, skipped=images.skipped + unlabelled), numbers, numbered.class_names
    )
