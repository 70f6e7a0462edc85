"""Select image files of one source and decode them into an image set."""

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

from straylight.core.conventions import Shape
from straylight.core.errors import InputError, quote_text
from straylight.data.files.container import Container
from straylight.data.files.decode import decode_with_range
from straylight.data.files.dicom import DicomView
from straylight.data.files.pixel_store import PixelStore
from straylight.data.images import ImageSet, SkippedImage
from straylight.data.value_ranges import ValueRange

SETTLED = 2.0  # seconds without a change


@dataclass(frozen=True)
class ImageFile:
    """A selected image file.

    Attributes:
        index: Its position among the selected files.
        read: Returns its bytes; raises ValueError with a reason if it cannot be read.
    """

    index: int
    read: Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Image files selected from one source.

    Attributes:
        spec: The source, as the user wrote it.
        files: Iterates over the files in the order in which reading them is fastest.
        name: Returns the name of the file at a position.
        n: Number of files (None: unknown before they are read).
        stretched: Scale each decoded image so that its maximum is 255.
        fingerprint: Digest that identifies the files without reading them (None: unknown).
        is_local: The files can be read again at little cost.
        skipped: Other files of the source, which are not images.
    """

    spec: str
    files: Callable[[], Iterable[ImageFile]]
    name: Callable[[int], str]
    n: int | None = None
    stretched: bool = False
    fingerprint: str | None = None
    is_local: bool = True
    skipped: tuple[SkippedImage, ...] = ()

    def decode(self, data: bytes, shape: Shape, view: DicomView | None = None) -> NDArray[np.uint8]:
        """Decode one of the files (see `decode_image`)."""
        return self.decode_with_range(data, shape, view)[0]

    def decode_with_range(
        self, data: bytes, shape: Shape, view: DicomView | None = None
    ) -> tuple[NDArray[np.uint8], ValueRange]:
        """Decode one of the files (see `decode_with_range` of `straylight.data.files.decode`)."""
        pixels, value_range = decode_with_range(data, shape, view)
        return _stretch_to_white(pixels) if self.stretched else pixels, value_range


def _stretch_to_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale an image so that its maximum is 255; a black image is unchanged."""
    return np.round(pixels / np.float64(pixels.max() or 1) * 255).astype(np.uint8)


def select_files(
    container: Container,
    names: list[str],
    spec: str,
    *,
    stretched: bool = False,
    skipped: tuple[SkippedImage, ...] = (),
) -> Selection:
    """Select files of an open container."""
    return Selection(
        spec=spec,
        files=partial(_iterate_files, container, names),
        name=names.__getitem__,
        n=len(names),
        stretched=stretched,
        skipped=skipped,
    )


def _iterate_files(container: Container, names: list[str]) -> Iterator[ImageFile]:
    """Yield files of an open container in the order in which reading them is fastest."""
    index = {name: place for place, name in enumerate(names)}
    for name in container.order(list(index)):
        yield ImageFile(index[name], partial(container.read, name))


def decode_selection(
    selection: Selection, shape: Shape, view: DicomView | None = None
) -> tuple[ImageSet, list[int]]:
    """Decode the selected files into memory; record those that cannot be read as skipped.

    Returns:
        The images, and the position of each among the selected files.

    Raises:
        InputError: If none can be read.
    """
    store = PixelStore(shape)
    kept: list[int] = []
    ranges: list[ValueRange] = []
    reasons: dict[int, str] = {}
    digests: list[bytes] = []
    for file in selection.files():
        try:
            data = file.read()
            pixels, value_range = selection.decode_with_range(data, shape, view)
        except ValueError as error:
            reasons[file.index] = str(error)
            continue
        store.append(pixels)
        kept.append(file.index)
        ranges.append(value_range)
        digests.append(hashlib.sha256(data).digest())
    skipped = tuple(
        SkippedImage(quote_text(selection.name(k)), reasons[k]) for k in sorted(reasons)
    )
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


def decode_files(
    container: Container,
    names: list[str],
    shape: Shape,
    spec: str,
    view: DicomView | None = None,
    *,
    skipped: tuple[SkippedImage, ...] = (),
) -> tuple[ImageSet, list[int]]:
    """Decode files of a container (see `decode_selection`)."""
    return decode_selection(select_files(container, names, spec, skipped=skipped), shape, view)


def fingerprint_files(files: Iterable[tuple[str, Path]]) -> str | None:
    """Return a digest of the names, sizes, times and inodes of files, without reading them.

    Args:
        files: Name of each file, and the file on disk that contains it.

    Returns:
        None if a file is not accessible or changed just now, since it may change again within the
        resolution of its time stamp.
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
