"""Natural photographs, or drawings in their place: all that the attacker of the paper needs."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from straylight.arrays import from_array, load_arrays
from straylight.containers import is_container, open_container
from straylight.drawings import DRAWINGS
from straylight.errors import InputError, listed
from straylight.images import ImageSet
from straylight.pictures import find_pictures, fit, read_pictures
from straylight.tensors import Shape

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
    spec: str | Path, shape: Shape, *, n: int | None = None, seed: int = 0
) -> ImageSet:
    """Load photographs, resized to `shape` (grey if it has one channel).

    Args:
        spec: A folder or a zip or tar archive of image files at any depth, a `.npy` or `.npz` file (array
            ``images``, or its only array), ``builtin:photos``: random crops of scikit-image's
            photographs, or drawings that need no photograph: ``builtin:noise``, ``builtin:jigsaw``,
            ``builtin:dead-leaves``.
        shape: Channels, height and width of the classifier's images.
        n: How many to use, drawn at random without replacement (None: all; 1,000 for what is built
            in).
        seed: Seed of that draw.

    Raises:
        InputError: If nothing can be read, or there are fewer than `n`.
    """
    if n is not None and n < 1:
        raise InputError(f"the number of photographs must be at least 1, not {n}.")
    rng = np.random.default_rng(seed)
    if str(spec) == PHOTOS:
        return builtin_photos(shape, n or 1000, rng)
    if str(spec) in DRAWINGS:
        return ImageSet(DRAWINGS[str(spec)](shape, n or 1000, rng), str(spec))
    path = Path(spec)
    if path.suffix in {".npy", ".npz"}:
        arrays = load_arrays(path)
        if "images" not in arrays and len(arrays) != 1:
            raise InputError(
                f"{path} holds {listed(sorted(arrays))}: name the photographs 'images'."
            )
        array = np.atleast_1d(arrays.get("images", next(iter(arrays.values()))))
        return from_array(array[draw(len(array), n, rng, spec)], shape, str(spec))
    if not is_container(path):
        raise InputError(
            f"{path} is neither a folder of photographs, an archive (.zip, .tar), a .npy or .npz file, "
            f"nor one of {', '.join([PHOTOS, *DRAWINGS])}."
        )
    with open_container(path) as container:
        files = find_pictures(container, dicom=False)
        if not files:
            raise InputError(
                f"{path} holds no image file (JPEG, PNG, WebP, TIFF or BMP) at any depth."
            )
        chosen = [files[index] for index in draw(len(files), n, rng, spec)]
        return read_pictures(container, chosen, shape, str(spec))[0]


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
    crops = [fit(random_crop(photos[index % len(photos)], rng), shape) for index in range(n)]
    return ImageSet(torch.from_numpy(np.stack(crops)), PHOTOS)


def random_crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cut a random square out of a photograph."""
    side = int(min(photo.size) * rng.uniform(0.25, 1.0))
    left = int(rng.integers(0, photo.width - side + 1))
    top = int(rng.integers(0, photo.height - side + 1))
    crop = photo.crop((left, top, left + side, top + side))
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else crop
