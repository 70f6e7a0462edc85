"""Draw photographs as in the paper: 100,000 from ImageNet or Open Images."""

import os
import random
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from straylight.core.errors import InputError
from straylight.data.files.container import Container
from straylight.data.files.decode import SUFFIXES
from straylight.data.files.folder import Folder

IMAGENET, OPENIMAGES = "imagenet:", "openimages:"
N, SEED = 100_000, 111
SYNSET = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class DrawnFiles:
    """The files drawn by the rule of the paper.

    Attributes:
        container: The folder of the files.
        names: Names of the files, in the order drawn.
        stretched: Scale each resized image x to x / max(x) * 255, as the paper did for Open Images.
    """

    container: Container
    names: list[str]
    stretched: bool


def draw_as_paper(spec: str, n: int | None) -> DrawnFiles:
    """Draw photographs by the rule of Minagi, Hirano & Takemoto 2022.

    That is ``random.seed(111); random.sample(files, 100_000)`` of Python, as in
    https://github.com/kztakemoto/Natural_UAP (`make_data_imagenet.py`, `make_data_openimages.py`), over
    ImageNet's training images or the test images of Open Images V6.

    Not reproducible: they sampled from files in the unknown order of their file system; here the files
    are sorted by name. So the rule and the number are the same, but the photographs drawn differ. They
    resized to 299 x 299 by nearest neighbour; here images are resized to the classifier's size with
    antialiasing, and scaled images are rounded to 8 bits.

    Args:
        spec: ``imagenet:ROOT``, with ``nXXXXXXXX/*.JPEG`` in ``ROOT/train``,
            ``ROOT/ILSVRC/Data/CLS-LOC/train`` or ``ROOT``; or ``openimages:ROOT``, with ``*.jpg`` in
            ``ROOT/test`` or ``ROOT``.
        n: Number of photographs (None: 100,000, as in the paper).

    Raises:
        InputError: If the folder does not exist, or has fewer than `n` photographs.
    """
    kind, _, root = spec.partition(":")
    of_imagenet = f"{kind}:" == IMAGENET
    find, places = (
        (_list_imagenet, ("train", "ILSVRC/Data/CLS-LOC/train", "."))
        if of_imagenet
        else (_list_photographs, ("test", "."))
    )
    for folder in (Path(root) / place for place in places):
        if root and (files := find(folder)):
            break
    else:
        inside = "nXXXXXXXX/*.JPEG" if of_imagenet else "*.jpg"
        tried = ", ".join(f"{root}/{place}/{inside}".replace("/./", "/") for place in places)
        raise InputError(f"{spec} has no photographs: none of {tried} exists.")
    if n is None and len(files) < N:
        raise InputError(
            f"{spec} has {len(files):,} photographs, fewer than the {N:,} that the paper drew: "
            f"give --photographs with {len(files)} or fewer."
        )
    if n is not None and n > len(files):
        raise InputError(f"{spec} has {len(files)} photographs, fewer than the {n} requested.")
    drawn = random.Random(SEED).sample(files, N if n is None else n)
    return DrawnFiles(Folder(folder), drawn, stretched=not of_imagenet)


def _list_imagenet(folder: Path) -> list[str]:
    """List the photographs in folders named by WordNet ids, sorted."""
    synsets = [name for name in _list_entries(folder) if SYNSET.fullmatch(name)]
    return [f"{name}/{file}" for name in synsets for file in _list_photographs(folder / name)]


def _list_photographs(folder: Path) -> list[str]:
    """List the photographs of a folder, sorted."""
    return [
        name for name in _list_entries(folder) if PurePosixPath(name).suffix.lower() in SUFFIXES
    ]


def _list_entries(folder: Path) -> list[str]:
    """List the visible entries of a folder, sorted; empty if the folder does not exist."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []
