"""Folders of training and test images, which are parts of a data set and not its classes."""

import re
from collections.abc import Sequence
from os.path import isdir

from straylight.core.errors import InputError, listed
from straylight.data.class_names import match_names

TRAIN, TEST, VALIDATION = "train", "test", "validation"
WORDS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "holdout", "heldout"), TEST),
    **dict.fromkeys(("val", "valid", "validation", "validating", "dev", "devel"), VALIDATION),
}
_BESIDE = r"(?:data|dataset|set|images?|imgs?|img|split|folder)?"
_PART = re.compile(rf"{_BESIDE}({'|'.join(WORDS)}){_BESIDE}")


def split_in(name: str) -> str | None:
    """Return the part of a data set that a folder is named after.

    >>> split_in("Training"), split_in("seg_test"), split_in("TrainData"), split_in("hold-out")
    ('train', 'test', 'train', 'test')
    >>> split_in("NORMAL"), split_in("attestation")
    (None, None)
    """
    words = re.split(r"[^a-z]+", name.lower())
    found = {part for word in (*words, "".join(words)) if (part := _part(word)) is not None}
    return found.pop() if len(found) == 1 else None


def _part(word: str) -> str | None:
    found = _PART.fullmatch(word)
    return WORDS[found[1]] if found else None


def check_no_splits(spec: str, files: Sequence[str], class_names: Sequence[str] | None) -> None:
    """Raise an error for class folders that are training and test images, or have such in them.

    Args:
        spec: Where they lie.
        files: Their names inside it.
        class_names: The classifier's, which may be such words.

    Raises:
        InputError: If two folders are named after different parts, or the only one after a part.
    """
    tops = sorted({name.partition("/")[0] for name in files})
    if class_names is not None and len(match_names(tops, class_names)) == len(tops):
        tops = []
    parts = [top for top in tops if split_in(top) is not None]
    alone = len(tops) == 1 and _part(re.sub(r"[^a-z]+", "", tops[0].lower())) is not None
    if len({split_in(top) for top in parts}) > 1 or alone:
        wanted = TRAIN if class_names is None else TEST
        part = next((top for top in parts if split_in(top) == wanted), parts[0])
        one = f", such as {spec}/{part}" if isdir(spec) else " as a folder or archive of its own"
        raise InputError(
            f"{spec} has the folders {listed(tops)}, which are parts of a data set and not classes: give "
            f"one of them{one}."
        )
    inner = sorted({name.split("/")[1] for name in files if name.count("/") > 1})
    parts = [folder for folder in inner if split_in(folder) is not None]
    if len({split_in(folder) for folder in parts}) > 1:
        raise InputError(
            f"{spec} has the folders {listed(parts)} in its class folders: these are parts of a data set; "
            "give one of them as a folder of its own, or name its files in a manifest (.csv)."
        )
