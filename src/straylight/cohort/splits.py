"""Detect folders of training and test images, which are splits of a data set and not classes."""

import re
from collections.abc import Sequence
from os.path import isdir

from straylight.core.errors import InputError, join_names
from straylight.data.class_names import match_names

TRAIN, TEST, VALIDATION = "train", "test", "validation"
WORDS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "holdout", "heldout"), TEST),
    **dict.fromkeys(("val", "valid", "validation", "validating", "dev", "devel"), VALIDATION),
}
_BESIDE = r"(?:data|dataset|set|images?|imgs?|img|split|folder)?"
_PART = re.compile(rf"{_BESIDE}({'|'.join(WORDS)}){_BESIDE}")


def detect_split(name: str) -> str | None:
    """Return the split of a data set that a folder name means, or None.

    >>> [detect_split(name) for name in ("Training", "seg_test", "TrainData", "hold-out")]
    ['train', 'test', 'train', 'test']
    >>> detect_split("NORMAL"), detect_split("attestation")
    (None, None)
    """
    words = re.split(r"[^a-z]+", name.lower())
    found = {
        part for word in (*words, "".join(words)) if (part := _split_of_word(word)) is not None
    }
    return found.pop() if len(found) == 1 else None


def _split_of_word(word: str) -> str | None:
    found = _PART.fullmatch(word)
    return WORDS[found[1]] if found else None


def check_no_splits(spec: str, files: Sequence[str], class_names: Sequence[str] | None) -> None:
    """Check that class folders are not training and test folders, and have none in them.

    Args:
        spec: The source, as the user wrote it.
        files: Names of the files in it.
        class_names: Class names of the classifier, which may be such words.

    Raises:
        InputError: If two folders mean different splits, or the only folder means a split.
    """
    tops = sorted({name.partition("/")[0] for name in files})
    if class_names is not None and len(match_names(tops, class_names)) == len(tops):
        tops = []
    parts = [top for top in tops if detect_split(top) is not None]
    alone = len(tops) == 1 and _split_of_word(re.sub(r"[^a-z]+", "", tops[0].lower())) is not None
    if len({detect_split(top) for top in parts}) > 1 or alone:
        wanted = TRAIN if class_names is None else TEST
        part = next((top for top in parts if detect_split(top) == wanted), parts[0])
        one = f", such as {spec}/{part}" if isdir(spec) else " as a separate folder or archive"
        raise InputError(
            f"{spec} has the folders {join_names(tops)}, which are splits of a data set and not "
            f"classes: give one of them{one}."
        )
    inner = sorted({name.split("/")[1] for name in files if name.count("/") > 1})
    parts = [folder for folder in inner if detect_split(folder) is not None]
    if len({detect_split(folder) for folder in parts}) > 1:
        raise InputError(
            f"{spec} has the folders {join_names(parts)} in its class folders, which are splits of a "
            "data set: give one of them as a separate folder, or name its files in a manifest (.csv)."
        )
