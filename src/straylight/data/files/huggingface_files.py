"""Files of a data set in a folder, chosen by ourselves: nothing in the folder is asked where they are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from straylight.core.errors import InputError, listed, quoted
from straylight.core.limits import RATIO, is_bomb
from straylight.data.files.discovery import first_of
from straylight.data.files.folder_walk import walk
from straylight.data.files.non_images import is_companion
from straylight.data.images import Skipped

# As `datasets` looks for them: first in the names of folders, then in those of files.
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
FEWEST_BYTES = 16  # that a row with an image takes, packed
CHAIN = ("::", "://")  # what chains file systems, for the package's own opener


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split.

    Attributes:
        kind: Which reader of the package they are for: ``imagefolder``, ``parquet`` or ``arrow``.
        files: Their paths, sorted.
        skipped: What else lies in the folder of the data set, and is none of its files.
    """

    kind: str
    files: list[str]
    skipped: tuple[Skipped, ...]


def find_split(spec: str, folder: Path, split: str, suffixes: Sequence[str]) -> SplitFiles:
    """Find the files of a split in a folder, by the rules that `datasets` has for names.

    Links are not followed: a data set of somebody else's could lead anywhere by them.

    Args:
        spec: As the user wrote it.
        folder: Where the data set lies.
        split: Its name.
        suffixes: Of image files that the package takes.

    Raises:
        InputError: If there is no such split, or its files are of several kinds.
    """
    base = folder.absolute()
    if any(mark in str(base) for mark in CHAIN):
        raise InputError(f"{spec}: a folder with :: or :// in its name cannot be given as hf:.")
    found = walk(folder, follow=False)
    usable, skipped = [], list(found.skipped)
    for name in found.names:
        path = PurePosixPath(name)
        image_or_table = path.suffix.lower() in (*suffixes, *TABLES) or path.name in METADATA
        if image_or_table and not any(mark in name for mark in CHAIN):
            usable.append(name)
        elif not is_companion(name):
            skipped.append(Skipped(quoted(name), "no file that hf: reads"))
    splits = divide(usable)
    if split not in splits:
        has = f"has the splits {listed(splits)}, and no" if splits else "has no files of the split"
        raise InputError(f"{spec} {has} {quoted(split)}{first_of(tuple(skipped))}.")
    chosen = splits[split]
    tables = {TABLES[s] for name in chosen if (s := _suffix(name)) in TABLES and not _tells(name)}
    images = [name for name in chosen if _suffix(name) not in TABLES and not _tells(name)]
    kinds = tables | ({"imagefolder"} if images else set())
    if len(kinds) != 1:
        raise InputError(
            f"{spec} has {listed(sorted(kinds)) or 'nothing but metadata'} in one split: only image "
            "folders, or Parquet or Arrow files, are taken."
        )
    for name in chosen:
        _check(spec, base / name)
    return SplitFiles(kinds.pop(), [str(base / name) for name in chosen], tuple(skipped))


def divide(names: Sequence[str]) -> dict[str, list[str]]:
    """Divide files into splits by their names, sorted.

    >>> divide(["test/a/1.png", "train/a/2.png"])
    {'train': ['train/a/2.png'], 'test': ['test/a/1.png']}
    >>> divide(["a.png"]), divide(["data/val-00000-of-00001.parquet"])
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


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _tells(name: str) -> bool:
    """Return whether a file is a table beside images."""
    return PurePosixPath(name).name in METADATA


def _check(spec: str, path: Path) -> None:
    """Refuse a table that would take far more than its size."""
    if path.name in METADATA and path.stat().st_size > LARGEST_METADATA:
        raise InputError(f"{spec}: {path.name} is larger than {LARGEST_METADATA // 2**20} MiB.")
    if path.suffix.lower() == ".jsonl" and path.name in METADATA:
        _check_nesting(spec, path)
    if path.suffix.lower() == ".parquet":
        _check_parquet(spec, path)


def _check_nesting(spec: str, path: Path) -> None:
    """Refuse JSON that is nested deeply: its reader calls itself."""
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
        # pyarrow raises its own kinds, and an OSError for a broken footer.
        raise InputError(f"{spec}: {quoted(path.name)} cannot be read as Parquet.") from error
    size = path.stat().st_size
    unpacked = sum(group.total_byte_size for group in groups)
    if is_bomb(size, unpacked):
        raise InputError(
            f"{spec}: {quoted(path.name)} unpacks to more than {RATIO} times its size."
        )
    if found.num_rows > max(ROWS_IN_ANY, size // FEWEST_BYTES):
        raise InputError(
            f"{spec}: {quoted(path.name)} has {found.num_rows:,} rows in {size:,} bytes: one image many "
            "times over is no data set."
        )
