"""Load natural images for an attack: photographs, or drawings instead."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from straylight.core.conventions import Shape
from straylight.core.errors import InputError, join_names
from straylight.data.files.arrays import image_set_from_array, load_arrays
from straylight.data.files.container import Container
from straylight.data.files.decode import resize_to_shape
from straylight.data.files.discovery import find_image_files, format_first_skipped
from straylight.data.files.huggingface import HF
from straylight.data.files.pixel_store import PixelStore
from straylight.data.files.regular import check_not_special
from straylight.data.files.selection import decode_selection, fingerprint_files, select_files
from straylight.data.images import ImageOrigin, ImageSet, SkippedImage
from straylight.data.photographs.builtin import PHOTO_FILES, PHOTOS
from straylight.data.photographs.cache import load_cached
from straylight.data.photographs.drawings import DRAWINGS
from straylight.data.photographs.huggingface import open_photographs
from straylight.data.photographs.paper import IMAGENET, OPENIMAGES, draw_as_paper
from straylight.data.photographs.shards import is_source, open_source


def load_natural(
    spec: str | Path,
    shape: Shape,
    *,
    n: int | None = None,
    seed: int = 0,
    cache: bool = True,
) -> ImageSet:
    """Load photographs, resized to `shape` (grey if it has one channel).

    Args:
        spec: A folder or a zip or tar archive of image files at any depth, several archives
            (``shards/{000..009}.tar``), ``imagenet:FOLDER`` or ``openimages:FOLDER`` (see
            `draw_as_paper`), ``hf:NAME_OR_FOLDER:SPLIT`` (see `open_photographs`), a `.npy` or `.npz`
            file (array ``images``, or its only array), ``builtin:photos``: random crops of
            scikit-image's photographs, or drawings that need no photograph: ``builtin:noise``,
            ``builtin:jigsaw``, ``builtin:dead-leaves``.
        shape: Channels, height and width of the classifier's images.
        n: Number of photographs, drawn at random without replacement (None: all; 100,000 from ImageNet
            and Open Images; 1,000 for built-in sources).
        seed: Seed of the draw.
        cache: Cache decoded image files on disk (see `load_cached`).

    Raises:
        InputError: If nothing can be read, or there are fewer than `n` photographs.
    """
    if n is not None and n < 1:
        raise InputError(f"the number of photographs must be at least 1, not {n}.")
    rng = np.random.default_rng(seed)
    text = str(spec)
    if text == PHOTOS:
        return _crop_builtin_photos(shape, n or 1000, rng)
    if text in DRAWINGS:
        drawings = DRAWINGS[text](shape, n or 1000, rng)
        return ImageSet(drawings, text, origin=ImageOrigin("drawings", len(drawings)))
    if text.startswith(HF):
        with open_photographs(text, n, seed) as chosen:
            return load_cached(chosen, shape) if cache else decode_selection(chosen, shape)[0]
    if text.startswith((IMAGENET, OPENIMAGES)):
        drawn = draw_as_paper(text, n)
        return _load_files_of_container(
            drawn.container, drawn.names, shape, text, cache=cache, stretched=drawn.stretched
        )
    check_not_special(Path(text))
    if Path(text).suffix.lower() in {".npy", ".npz"} and not Path(text).is_dir():
        return _load_arrays_of_photographs(text, shape, n, rng)
    return _load_files_of_source(text, shape, n, rng, cache=cache)


def _load_arrays_of_photographs(
    spec: str, shape: Shape, n: int | None, rng: np.random.Generator
) -> ImageSet:
    """Load photographs from a `.npy` or `.npz` file."""
    arrays = load_arrays(Path(spec))
    if "images" not in arrays and len(arrays) != 1:
        raise InputError(f"{spec} has {join_names(sorted(arrays))}: name the photographs 'images'.")
    array = np.atleast_1d(arrays.get("images", next(iter(arrays.values()))))
    drawn = _draw_indices(len(array), n, rng, spec)
    return image_set_from_array(array if n is None else array[drawn], shape, spec, own=True)


def _load_files_of_source(
    spec: str, shape: Shape, n: int | None, rng: np.random.Generator, *, cache: bool
) -> ImageSet:
    """Load photographs from image files in a folder or in archives."""
    if not is_source(spec):
        raise InputError(
            f"{spec} is neither a folder of photographs, an archive (.zip, .tar), a .npy or .npz file, "
            f"{IMAGENET}FOLDER, {OPENIMAGES}FOLDER, {HF}NAME:SPLIT, nor one of "
            f"{', '.join([PHOTOS, *DRAWINGS])}."
        )
    with open_source(spec) as container:
        found = find_image_files(container, dicom=False)
        if not found.names:
            raise InputError(
                f"{spec} has no image file (JPEG, PNG, WebP, TIFF or BMP) at any depth"
                f"{format_first_skipped(found.skipped)}."
            )
        names = [found.names[index] for index in _draw_indices(len(found.names), n, rng, spec)]
        return _load_files_of_container(
            container, names, shape, spec, cache=cache, skipped=found.skipped
        )


def _load_files_of_container(
    container: Container,
    names: list[str],
    shape: Shape,
    spec: str,
    *,
    cache: bool,
    stretched: bool = False,
    skipped: tuple[SkippedImage, ...] = (),
) -> ImageSet:
    """Decode files of a container, or load them from the cache."""
    chosen = select_files(container, names, spec, stretched=stretched, skipped=skipped)
    if not cache:
        return decode_selection(chosen, shape)[0]
    known = fingerprint_files((name, container.on_disk(name)) for name in names)
    return load_cached(replace(chosen, fingerprint=known), shape)


def _draw_indices(
    available: int, n: int | None, rng: np.random.Generator, spec: str | Path
) -> list[int]:
    """Draw the indices of `n` items without replacement, in increasing order."""
    if n is None:
        return list(range(available))
    if n > available:
        raise InputError(f"{spec} has {available} photographs, fewer than the {n} requested.")
    return sorted(rng.choice(available, size=n, replace=False).tolist())


def _crop_builtin_photos(shape: Shape, n: int, rng: np.random.Generator) -> ImageSet:
    """Cut random square crops (25-100 % of the shorter side, half of them mirrored) from photographs."""
    import skimage.data

    folder = Path(skimage.data.__file__).parent
    photos = [Image.open(folder / name).convert("RGB") for name in PHOTO_FILES]
    crops = PixelStore(shape)
    for index in range(n):
        crops.append(resize_to_shape(_random_crop(photos[index % len(photos)], rng), shape))
    origin = ImageOrigin("crops", min(n, len(photos)))
    return ImageSet(crops.finish(range(n)), PHOTOS, origin=origin)


def _random_crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut a random square out of a photograph."""
    side = int(min(photo.size) * rng.uniform(0.25, 1.0))
    left = int(rng.integers(0, photo.width - side + 1))
    top = int(rng.integers(0, photo.height - side + 1))
    crop = photo.crop((left, top, left + side, top + side))
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else crop
