"""Natural photographs, or drawings in their place: all that the attacker of the paper needs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from straylight.core.errors import InputError, listed
from straylight.core.tensors import Shape
from straylight.data.files.arrays import from_array, load_arrays
from straylight.data.files.containers import Container
from straylight.data.files.decode import fit
from straylight.data.files.discovery import find_pictures, first_of
from straylight.data.files.huggingface import HF
from straylight.data.files.pixel_store import PixelStore
from straylight.data.files.regular import check_regular
from straylight.data.files.selection import collect, fingerprint, select
from straylight.data.images import ImageSet, Origin, Skipped
from straylight.data.photographs.cache import load_cached
from straylight.data.photographs.drawings import DRAWINGS
from straylight.data.photographs.huggingface import open_photographs
from straylight.data.photographs.paper import IMAGENET, OPENIMAGES, draw_as_paper
from straylight.data.photographs.shards import is_source, open_source

PHOTOS = "builtin:photos"
# Those pictures inside scikit-image's wheel that are ordinary photographs; its retina, histology,
# cell and phantom pictures are left out, since the attacker has never seen a medical image.
PHOTO_FILES = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "motorcycle_left.png",
    "rocket.jpg",
)


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
        n: How many to use, drawn at random without replacement (None: all; 100,000 of ImageNet and
            Open Images; 1,000 of what is built in).
        seed: Seed of that draw.
        cache: Keep what was decoded from image files on the disk, and take it from there (see
            `load_cached`).

    Raises:
        InputError: If nothing can be read, or there are fewer than `n`.
    """
    if n is not None and n < 1:
        raise InputError(f"the number of photographs must be at least 1, not {n}.")
    rng = np.random.default_rng(seed)
    text = str(spec)
    if text == PHOTOS:
        return builtin_photos(shape, n or 1000, rng)
    if text in DRAWINGS:
        drawings = DRAWINGS[text](shape, n or 1000, rng)
        return ImageSet(drawings, text, origin=Origin("drawings", len(drawings)))
    if text.startswith(HF):
        with open_photographs(text, n, seed) as chosen:
            return load_cached(chosen, shape) if cache else collect(chosen, shape)[0]
    if text.startswith((IMAGENET, OPENIMAGES)):
        drawn = draw_as_paper(text, n)
        return load_files(
            drawn.container, drawn.names, shape, text, cache=cache, stretched=drawn.stretched
        )
    check_regular(Path(text))
    if Path(text).suffix.lower() in {".npy", ".npz"} and not Path(text).is_dir():
        return load_natural_arrays(text, shape, n, rng)
    return load_pictures(text, shape, n, rng, cache=cache)


def load_natural_arrays(
    spec: str, shape: Shape, n: int | None, rng: np.random.Generator
) -> ImageSet:
    """Load photographs from a `.npy` or `.npz` file."""
    arrays = load_arrays(Path(spec))
    if "images" not in arrays and len(arrays) != 1:
        raise InputError(f"{spec} holds {listed(sorted(arrays))}: name the photographs 'images'.")
    array = np.atleast_1d(arrays.get("images", next(iter(arrays.values()))))
    drawn = draw(len(array), n, rng, spec)
    return from_array(array if n is None else array[drawn], shape, spec, own=True)


def load_pictures(
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
        found = find_pictures(container, dicom=False)
        if not found.names:
            raise InputError(
                f"{spec} holds no image file (JPEG, PNG, WebP, TIFF or BMP) at any depth"
                f"{first_of(found.skipped)}."
            )
        names = [found.names[index] for index in draw(len(found.names), n, rng, spec)]
        return load_files(container, names, shape, spec, cache=cache, skipped=found.skipped)


def load_files(
    container: Container,
    names: list[str],
    shape: Shape,
    spec: str,
    *,
    cache: bool,
    stretched: bool = False,
    skipped: tuple[Skipped, ...] = (),
) -> ImageSet:
    """Decode files of a container, or take them from the cache."""
    chosen = select(container, names, spec, stretched=stretched, skipped=skipped)
    if not cache:
        return collect(chosen, shape)[0]
    known = fingerprint((name, container.on_disk(name)) for name in names)
    return load_cached(replace(chosen, fingerprint=known), shape)


def draw(available: int, n: int | None, rng: np.random.Generator, spec: str | Path) -> list[int]:
    """Indices of `n` items in increasing order, drawn without replacement."""
    if n is None:
        return list(range(available))
    if n > available:
        raise InputError(f"{spec} has {available} photographs, fewer than the {n} asked for.")
    return sorted(rng.choice(available, size=n, replace=False).tolist())


def builtin_photos(shape: Shape, n: int, rng: np.random.Generator) -> ImageSet:
    """Random square crops (25-100 % of the shorter side, mirrored half of the time)."""
    import skimage.data

    folder = Path(skimage.data.__file__).parent
    photos = [Image.open(folder / name).convert("RGB") for name in PHOTO_FILES]
    crops = PixelStore(shape)
    for index in range(n):
        crops.append(fit(random_crop(photos[index % len(photos)], rng), shape))
    origin = Origin("crops", min(n, len(photos)))
    return ImageSet(crops.finish(range(n)), PHOTOS, origin=origin)


def random_crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut a random square out of a photograph."""
    side = int(min(photo.size) * rng.uniform(0.25, 1.0))
    left = int(rng.integers(0, photo.width - side + 1))
    top = int(rng.integers(0, photo.height - side + 1))
    crop = photo.crop((left, top, left + side, top + side))
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else crop
