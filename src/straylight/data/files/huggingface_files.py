"""Find the files of a Hugging Face data set in a folder, without trusting its metadata."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from straylight.core.errors import InputError, join_names, quote_text
from straylight.core.limits import RATIO, is_bomb
from straylight.data.files.discovery import format_first_skipped
from straylight.data.files.folder_walk import list_folder
from straylight.data.files.non_images import is_companion
from straylight.data.images import SkippedImage

# As in `datasets`: first in the names of folders, then in those of files.
KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SHARD = re.compile(r"data/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*\.[^/]*")
TABLES = {".parquet": "parquet", ".arrow": "arrow"}
METADATA = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})
LARGEST_METADATA = 2**25  # bytes
DEEPEST = 32  # brackets in brackets in a line of JSON
ROWS_IN_ANY = 1000  # rows that a small Parquet file may have
FEWEST_BYTES = 16  # of a compressed row with an image
CHAIN = ("::", "://")  # would chain file systems in the package's own opener


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split.

    Attributes:
        kind: Reader of the package: ``imagefolder``, ``parquet`` or ``arrow``.
        files: Their paths, sorted.
        skipped: Other files in the folder of the data set.
    """

    kind: str
    files: list[str]
    skipped: tuple[SkippedImage, ...]


def find_split(spec: str, folder: Path, split: str, suffixes: Sequence[str]) -> SplitFiles:
    """Find the files of a split in a folder, by the naming rules of `datasets`.

    Links are not followed: a data set from somebody else could lead anywhere through them.

    Args:
        spec: As the user wrote it.
        folder: Folder of the data set.
        split: Name of the split.
        suffixes: Suffixes of supported image files.

    Raises:
        InputError: If the split does not exist, or its files are of several types.
    """
    base = folder.absolute()
    if any(mark in str(base) for mark in CHAIN):
        raise InputError(f"{spec}: a folder with :: or :// in its name cannot be used as hf:.")
    found = list_folder(folder, follow=False)
    usable, skipped = [], list(found.skipped)
    for name in found.names:
        path = PurePosixPath(name)
        image_or_table = path.suffix.lower() in (*suffixes, *TABLES) or path.name in METADATA
        if image_or_table and not any(mark in name for mark in CHAIN):
            usable.append(name)
        elif not is_companion(name):
            skipped.append(SkippedImage(quote_text(name), "not a file that hf: supports"))
    splits = _group_by_split(usable)
    if split not in splits:
        has = (
            f"has the splits {join_names(splits)} but not"
            if splits
            else "has no files of the split"
        )
        raise InputError(f"{spec} {has} {quote_text(split)}{format_first_skipped(tuple(skipped))}.")
    chosen = splits[split]
    tables = {
        TABLES[s]
        for name in chosen
        if (s := _lower_suffix(name)) in TABLES and not _is_metadata(name)
    }
    images = [
        name for name in chosen if _lower_suffix(name) not in TABLES and not _is_metadata(name)
    ]
    kinds = tables | ({"imagefolder"} if images else set())
    if len(kinds) != 1:
        raise InputError(
            f"{spec} has {join_names(sorted(kinds)) or 'nothing but metadata'} in one split: only image "
            "folders, or Parquet or Arrow files, are supported."
        )
    for name in chosen:
        _check_table(spec, base / name)
    return SplitFiles(kinds.pop(), [str(base / name) for name in chosen], tuple(skipped))


def _group_by_split(names: Sequence[str]) -> dict[str, list[str]]:
    """Group files into splits by their names, sorted.

    >>> _group_by_split(["test/a/1.png", "train/a/2.png"])
    {'train': ['train/a/2.png'], 'test': ['test/a/1.png']}
    >>> _group_by_split(["a.png"]), _group_by_split(["data/val-00000-of-00001.parquet"])
    ({'train': ['a.png']}, {'val': ['data/val-00000-of-00001.parquet']})
    """
    every = sorted(names)
    sharded: dict[str, list[str]] = {}
    for name in every:
        if shard := SHARD.fullmatch(name):
            sharded.setdefault(shard[1], []).append(name)
    if sharded:
        return sharded
    for parts in (slice(None, -1), slice(-1, None)):  # folders, then the file itself
        found: dict[str, list[str]] = {}
        for split, words in KEYWORDS.items():
            word = re.compile(rf"(?:^|[-._ 0-9])(?:{'|'.join(words)})(?:$|[-._ 0-9])")
            if chosen := [name for name in every if any(map(word.search, name.split("/")[parts]))]:
                found[split] = chosen
        if found:
            return found
    return {"train": every} if every else {}


def _lower_suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_metadata(name: str) -> bool:
    """Return whether a file is a metadata table beside images."""
    return PurePosixPath(name).name in METADATA


def _check_table(spec: str, path: Path) -> None:
    """Raise InputError for a table that would need far more memory than its size."""
    if path.name in METADATA and path.stat().st_size > LARGEST_METADATA:
        raise InputError(f"{spec}: {path.name} is larger than {LARGEST_METADATA // 2**20} MiB.")
    if path.suffix.lower() == ".jsonl" and path.name in METADATA:
        _check_nesting(spec, path)
    if path.suffix.lower() == ".parquet":
        _check_parquet(spec, path)


def _check_nesting(spec: str, path: Path) -> None:
    """Raise InputError for deeply nested JSON, whose reader is recursive."""
    depth = 0
    brackets = dict.fromkeys(b"[{", 1) | dict.fromkeys(b"]}", -1)
    for byte in re.sub(rb"[^\[\]{}\n]+", b"", path.read_bytes()):
        depth = 0 if byte == ord("\n") else depth + brackets[byte]
        if depth > DEEPEST:
            raise InputError(f"{spec}: {path.name} is nested more than {DEEPEST} deep: flatten it.")


def _check_parquet(spec: str, path: Path) -> None:
    from pyarrow import parquet

    try:
        found: Any = parquet.read_metadata(path)  # type: ignore[no-untyped-call]
        groups: list[Any] = [found.row_group(number) for number in range(found.num_row_groups)]
    except Exception as error:
        # pyarrow raises its own exception types, and OSError for a damaged footer.
        raise InputError(f"{spec}: {quote_text(path.name)} cannot be read as Parquet.") from error
    size = path.stat().st_size
    unpacked = sum(group.total_byte_size for group in groups)
    if is_bomb(size, unpacked):
        raise InputError(
            f"{spec}: {quote_text(path.name)} unpacks to more than {RATIO} times its size."
        )
    if found.num_rows > max(ROWS_IN_ANY, size // FEWEST_BYTES):
        raise InputError(
            f"{spec}: {quote_text(path.name)} has {found.num_rows:,} rows in {size:,} bytes, which is too "
            "many for a data set of different images."
        )
