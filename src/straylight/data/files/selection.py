"""Image files that were chosen from one source, decoded together and counted where they cannot be."""

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from straylight.core.errors import InputError, quoted
from straylight.core.tensors import Shape
from straylight.data.files.containers import Container
from straylight.data.files.decode import decode_with_range
from straylight.data.files.dicom import DicomView
from straylight.data.files.pixel_store import PixelStore
from straylight.data.images import ImageSet, Skipped
from straylight.data.value_ranges import ValueRange

SETTLED = 2.0  # seconds without a change


@dataclass(frozen=True)
class File:
    """An image file: its place among those that were chosen, and how its bytes are had.

    Attributes:
        index: Its place.
        read: Returns its bytes; raises a ValueError, that says why, where it cannot.
    """

    index: int
    read: Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The image files that were chosen from one source.

    Attributes:
        spec: The source, as the user wrote it.
        files: Goes through the files, in the order in which they are read fastest.
        name: Name of the file at a place.
        n: How many there are (None: not known before they were read).
        stretched: Each decoded image is stretched until its greatest value is 255.
        fingerprint: Digest of all that tells the files apart without reading them (None: nothing does).
        near: They may be read once more at little cost.
        skipped: What lies beside them and was not chosen, since it is no image.
    """

    spec: str
    files: Callable[[], Iterable[File]]
    name: Callable[[int], str]
    n: int | None = None
    stretched: bool = False
    fingerprint: str | None = None
    near: bool = True
    skipped: tuple[Skipped, ...] = ()

    def decode(self, data: bytes, shape: Shape, view: DicomView | None = None) -> NDArray[np.uint8]:
        """Decode one of the files (see `decode`)."""
        return self.decode_with_range(data, shape, view)[0]

    def decode_with_range(
        self, data: bytes, shape: Shape, view: DicomView | None = None
    ) -> tuple[NDArray[np.uint8], ValueRange]:
        """Decode one of the files (see `decode_with_range` of `straylight.data.files.decode`)."""
        pixels, told = decode_with_range(data, shape, view)
        return stretch(pixels) if self.stretched else pixels, told


def stretch(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale an image until its greatest value is 255; a black one stays as it is."""
    return np.round(pixels / np.float64(pixels.max() or 1) * 255).astype(np.uint8)


def select(
    container: Container,
    names: list[str],
    spec: str,
    *,
    stretched: bool = False,
    skipped: tuple[Skipped, ...] = (),
) -> Selection:
    """Choose files of an open container."""
    return Selection(
        spec=spec,
        files=partial(files_of, container, names),
        name=names.__getitem__,
        n=len(names),
        stretched=stretched,
        skipped=skipped,
    )


def files_of(container: Container, names: list[str]) -> Iterator[File]:
    """Go through files of an open container, in the order that is fastest there."""
    index = {name: place for place, name in enumerate(names)}
    for name in container.order(list(index)):
        yield File(index[name], partial(container.read, name))


def collect(
    selection: Selection, shape: Shape, view: DicomView | None = None
) -> tuple[ImageSet, list[int]]:
    """Decode files into memory; skip, count and name those that cannot be read.

    Returns:
        The images, and for each its place among those chosen.

    Raises:
        InputError: If not one can be read.
    """
    store = PixelStore(shape)
    kept: list[int] = []
    ranges: list[ValueRange] = []
    reasons: dict[int, str] = {}
    digests: list[bytes] = []
    for file in selection.files():
        try:
            data = file.read()
            pixels, told = selection.decode_with_range(data, shape, view)
        except ValueError as error:
            reasons[file.index] = str(error)
            continue
        store.append(pixels)
        kept.append(file.index)
        ranges.append(told)
        digests.append(hashlib.sha256(data).digest())
    skipped = tuple(Skipped(quoted(selection.name(k)), reasons[k]) for k in sorted(reasons))
    if not kept:
        first = f" (first: {skipped[0].file}: {skipped[0].reason})" if skipped else ""
        raise InputError(
            f"none of the {len(skipped)} image files of {selection.spec} can be read{first}."
        )
    order = np.argsort(kept).tolist()
    return ImageSet(
        store.finish(order),
        selection.spec,
        skipped + selection.skipped,
        ranges=tuple(ranges[place] for place in order),
        files=tuple(digests[place] for place in order),
    ), sorted(kept)


def read_pictures(
    container: Container,
    names: list[str],
    shape: Shape,
    spec: str,
    view: DicomView | None = None,
    *,
    skipped: tuple[Skipped, ...] = (),
) -> tuple[ImageSet, list[int]]:
    """Decode files of a container (see `collect`)."""
    return collect(select(container, names, spec, skipped=skipped), shape, view)


def fingerprint(files: Iterable[tuple[str, Path]]) -> str | None:
    """Digest of what tells files apart without reading them: names, sizes, times, places on the disk.

    Args:
        files: Name of each, and the file on disk that it lies in.

    Returns:
        None if a file cannot be looked at, or changed just now: it may change once more within the
        grain of its clock.
    """
    found = hashlib.sha256()
    stats: dict[Path, os.stat_result] = {}
    try:
        for name, path in files:
            if path not in stats:
                stats[path] = path.stat()
            it = stats[path]
            parts = (name, it.st_size, it.st_mtime_ns, it.st_ctime_ns, it.st_ino)
            found.update(repr(parts).encode("utf-8", "surrogateescape"))
    except OSError:
        return None
    newest = max((max(it.st_mtime, it.st_ctime) for it in stats.values()), default=math.inf)
    return found.hexdigest() if time.time() - newest > SETTLED else None
