"""The photographs of the paper: 100,000 of ImageNet's or of Open Images', drawn as it drew them."""

import os
import random
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from straylight.core.errors import InputError
from straylight.data.files.containers import Container, Folder
from straylight.data.files.decode import SUFFIXES

IMAGENET, OPENIMAGES = "imagenet:", "openimages:"
N, SEED = 100_000, 111
SYNSET = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class Drawn:
    """The files that the paper's rule draws.

    Attributes:
        container: The folder that they lie in.
        names: Of the files inside it, in the order drawn.
        stretched: As the paper did with Open Images: x / max(x) * 255 of each resized image.
    """

    container: Container
    names: list[str]
    stretched: bool


def draw_as_paper(spec: str, n: int | None) -> Drawn:
    """Draw photographs by the rule of Minagi, Hirano & Takemoto 2022.

    That is ``random.seed(111); random.sample(files, 100_000)`` of Python, as in
    https://github.com/kztakemoto/Natural_UAP (`make_data_imagenet.py`, `make_data_openimages.py`), over
    ImageNet's training images or the test images of Open Images V6.

    What cannot be reproduced: they sampled from the order in which their file system listed the files,
    which nobody knows; here the files are sorted by name. So the rule and the number are theirs, and
    which photographs it draws is not. They resized by the nearest pixel to 299 x 299; here images are
    resized to the classifier's size with antialiasing, and those stretched are rounded to 8 bits.

    Args:
        spec: ``imagenet:ROOT``, with ``nXXXXXXXX/*.JPEG`` in ``ROOT/train``,
            ``ROOT/ILSVRC/Data/CLS-LOC/train`` or ``ROOT``; or ``openimages:ROOT``, with ``*.jpg`` in
            ``ROOT/test`` or ``ROOT``.
        n: How many (None: the paper's 100,000).

    Raises:
        InputError: If there is no such folder, or there are fewer than `n`.
    """
    kind, _, root = spec.partition(":")
    of_imagenet = f"{kind}:" == IMAGENET
    find, places = (
        (imagenet_files, ("train", "ILSVRC/Data/CLS-LOC/train", "."))
        if of_imagenet
        else (flat_files, ("test", "."))
    )
    for folder in (Path(root) / place for place in places):
        if root and (files := find(folder)):
            break
    else:
        inside = "nXXXXXXXX/*.JPEG" if of_imagenet else "*.jpg"
        tried = ", ".join(f"{root}/{place}/{inside}".replace("/./", "/") for place in places)
        raise InputError(f"{spec} has no photographs: none of {tried} is there.")
    if n is None and len(files) < N:
        raise InputError(
            f"{spec} has {len(files):,} photographs, fewer than the {N:,} that the paper drew: "
            f"give --photographs with {len(files)} or fewer."
        )
    if n is not None and n > len(files):
        raise InputError(f"{spec} has {len(files)} photographs, fewer than the {n} asked for.")
    drawn = random.Random(SEED).sample(files, N if n is None else n)
    return Drawn(Folder(folder), drawn, stretched=not of_imagenet)


def imagenet_files(folder: Path) -> list[str]:
    """List the photographs in the folders of WordNet ids, sorted."""
    synsets = [name for name in entries(folder) if SYNSET.fullmatch(name)]
    return [f"{name}/{file}" for name in synsets for file in flat_files(folder / name)]


def flat_files(folder: Path) -> list[str]:
    """List the photographs of a folder, sorted."""
    return [name for name in entries(folder) if PurePosixPath(name).suffix.lower() in SUFFIXES]


def entries(folder: Path) -> list[str]:
    """List what is in a folder, sorted and without what is hidden; nothing if there is no folder."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []
