"""Rows of a Hugging Face data set as photographs."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from straylight.core.errors import InputError
from straylight.data.files.huggingface import DatasetSplit, open_split
from straylight.data.files.selection import ImageFile, Selection, fingerprint_files

BUFFER = 1000  # rows in the shuffle buffer


@contextmanager
def open_photographs(spec: str, n: int | None, seed: int) -> Iterator[Selection]:
    """Open ``hf:NAME_OR_FOLDER[:SPLIT]`` (without a split: train) as photographs.

    Without `n` all rows are used, in order. With `n` they are shuffled with `seed` and the first `n`
    are used: `IterableDataset.shuffle` of `datasets` shuffles the shards and draws each row from a
    buffer of 1,000. The same version of `datasets` draws the same rows.

    Raises:
        InputError: If it cannot be loaded, has no images, or has fewer than `n`.
    """
    with open_split(spec, "train") as split:
        column = split.column(split.image_column(), "file")
        rows = split.rows.select_columns([column])
        if n is not None:
            rows = rows.shuffle(seed=seed, buffer_size=BUFFER).take(n)

        def files() -> Iterator[ImageFile]:
            index = -1
            for index, row in enumerate(split.each(rows)):
                yield ImageFile(index, partial(split.read, row[column]))
            if index + 1 < (n or 1):
                raise InputError(
                    f"{spec} has {index + 1} photographs in this split, fewer than the {n or 1} requested."
                )

        yield Selection(
            spec=spec,
            files=files,
            name="row {} of those drawn".format,
            n=n,
            fingerprint=_fingerprint_rows(split, f"{column} {n} {seed} {version('datasets')}"),
            is_local=split.is_local,
            skipped=split.skipped,
        )


def _fingerprint_rows(split: DatasetSplit, settings: str) -> str | None:
    """Return a digest that identifies the drawn rows without reading them; None if there is none."""
    files = sorted(split.files)
    if split.is_local:
        return fingerprint_files((f"{settings} {file}", Path(file)) for file in files)
    if not all("@" in file for file in files):
        return None
    return sha256(repr((settings, files)).encode()).hexdigest()
