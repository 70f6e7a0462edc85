"""Rows of a Hugging Face data set as photographs."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from straylight.core.errors import InputError
from straylight.data.files.huggingface import Split, open_split
from straylight.data.files.selection import File, Selection, fingerprint

BUFFER = 1000  # rows that a draw chooses among at a time


@contextmanager
def open_photographs(spec: str, n: int | None, seed: int) -> Iterator[Selection]:
    """Open ``hf:NAME_OR_FOLDER[:SPLIT]`` (without a split: train) as photographs.

    Without `n` all rows are taken, in order. With it they are shuffled by `seed` and the first `n`
    taken: `IterableDataset.shuffle` of `datasets`, which draws each next row from a buffer of 1,000,
    having shuffled the shards. The same version of `datasets` draws the same rows.

    Raises:
        InputError: If it cannot be had, has no images, or fewer than `n`.
    """
    with open_split(spec, "train") as split:
        column = split.column(split.image_column(), "file")
        rows = split.rows.select_columns([column])
        if n is not None:
            rows = rows.shuffle(seed=seed, buffer_size=BUFFER).take(n)

        def files() -> Iterator[File]:
            index = -1
            for index, row in enumerate(split.each(rows)):
                yield File(index, partial(split.read, row[column]))
            if index + 1 < (n or 1):
                raise InputError(
                    f"{spec} has {index + 1} photographs in this split, fewer than the {n or 1} asked for."
                )

        yield Selection(
            spec=spec,
            files=files,
            name="row {} of those drawn".format,
            n=n,
            fingerprint=known(split, f"{column} {n} {seed} {version('datasets')}"),
            near=split.near,
            skipped=split.skipped,
        )


def known(split: Split, settings: str) -> str | None:
    """Digest of what tells the drawn rows without reading them: files on the disk, or a commit."""
    files = sorted(split.files)
    if split.near:
        return fingerprint((f"{settings} {file}", Path(file)) for file in files)
    if not all("@" in file for file in files):
        return None
    return sha256(repr((settings, files)).encode()).hexdigest()
