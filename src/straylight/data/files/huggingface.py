"""Hugging Face data sets, on their hub or in a folder, read row by row by their own package."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os.path import isdir
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from straylight.core.errors import InputError, listed, quoted, reason_of
from straylight.core.limits import LARGEST
from straylight.data.files.containers import readable
from straylight.data.files.huggingface_files import find_split
from straylight.data.files.regular import open_regular
from straylight.data.images import Skipped

HF = "hf:"
READERS = ("imagefolder", "parquet", "arrow")  # of the package; none runs code of the data set
NAME = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?")
ON_HUB, WITHIN = "hf://datasets/", "zip://"
ROWS = 8  # of a Parquet file that are held at a time
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Split:
    """One split of a data set, streamed.

    Attributes:
        spec: As the user wrote it.
        rows: Goes through the rows; `datasets.IterableDataset`.
        features: The columns and their kinds.
        files: Where the rows lie: paths, or addresses on the hub.
        skipped: What lies in the folder beside them.
    """

    spec: str
    rows: Any
    features: Row
    files: frozenset[str]
    skipped: tuple[Skipped, ...] = ()

    @property
    def near(self) -> bool:
        """Return whether it lies on this machine."""
        return all(Path(file).is_file() for file in self.files)

    def column(self, wanted: str, setting: str) -> str:
        """Check that there is a column."""
        if wanted in self.features:
            kind = self.features[wanted]
            if type(kind).__name__ != "Image" and not _is_plain(kind):
                raise InputError(
                    f"{self.spec} has the column {quoted(wanted)} of the kind {type(kind).__name__}: an "
                    "image, a number, a text or a class is needed."
                )
            return wanted
        raise InputError(
            f"{self.spec} has the columns {listed(self.features)}, and no {quoted(wanted)}: name it with "
            f"--reading {setting}=COLUMN."
        )

    def image_column(self) -> str:
        """Find the column of images: ``image``, or the only one."""
        images = [n for n, kind in self.features.items() if type(kind).__name__ == "Image"]
        return images[0] if len(images) == 1 else "image"

    def each(self, rows: Any) -> Iterator[Row]:  # noqa: ANN401 (the package has no types)
        """Go through rows of the split; what is broken is refused."""
        try:
            yield from rows
        except Exception as error:
            # datasets, pyarrow and fsspec each raise their own kinds.
            raise InputError(f"{self.spec} cannot be read: {reason_of(error)}.") from error

    def read(self, value: object) -> bytes:
        """Return the bytes of an image; a file is read only if it is one of the data set's.

        Raises:
            ValueError: If there is none.
        """
        data = value.get("bytes") if isinstance(value, dict) else value
        path = value.get("path") if isinstance(value, dict) else None
        if isinstance(data, bytes):
            return data
        *hops, last = path.split("::") if isinstance(path, str) else [""]
        if last not in self.files or not all(hop.startswith(WITHIN) for hop in hops):
            raise ValueError("the row holds no image")
        if last.startswith(ON_HUB):
            return _download(str(path))
        if Path(last).stat().st_size > LARGEST:
            raise ValueError(f"larger than {LARGEST // 2**20} MiB")
        with readable(), open_regular(Path(last)) as stream:
            return stream.read()


def _is_plain(kind: object) -> bool:
    """Return whether a column holds values; other kinds are decoded as they come, also from afar."""
    if isinstance(kind, dict):
        return all(map(_is_plain, kind.values()))
    if isinstance(kind, list):
        return all(map(_is_plain, kind))
    if type(kind).__name__ in ("List", "LargeList", "Sequence"):
        return _is_plain(getattr(kind, "feature", None))
    return type(kind).__name__ in ("Value", "ClassLabel")


def _download(address: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(address, "rb") as stream:  # type: ignore[no-untyped-call]
            found: bytes = stream.read()
            return found
    except Exception as error:
        # Each file system of fsspec raises its own kinds.
        raise ValueError(f"cannot be read: {type(error).__name__}") from error


@contextmanager
def open_split(spec: str, default: str | None) -> Iterator[Split]:
    """Open one split for the time of a context; its package keeps its notes in a temporary folder."""
    name, split = parse(spec, default)
    try:
        import datasets
    except ImportError:
        raise InputError(f"{spec} needs datasets: 'pip install straylight[hf]'.") from None
    with quiet(datasets), TemporaryDirectory() as folder:
        try:
            builder, skipped = (
                _local(spec, name, split, folder)
                if isdir(name)
                else (_remote(spec, name, folder), ())
            )
            rows = builder.as_streaming_dataset(split=split)
            features = dict(rows.features or {})
            for column, kind in features.items():
                if isinstance(kind, datasets.Image):
                    rows = rows.cast_column(column, datasets.Image(decode=False))
            files = frozenset(map(str, builder.config.data_files[split]))
        except InputError:
            raise
        except Exception as error:
            # datasets, pyarrow and huggingface_hub each raise their own kinds.
            raise InputError(f"{spec} cannot be had: {reason_of(error)}.") from error
        yield Split(spec, rows, features, files, skipped)


def _local(spec: str, name: str, split: str, cache: str) -> tuple[Any, tuple[Skipped, ...]]:
    """Give the package's reader a list of files, so that it looks for none and asks no one."""
    from datasets.data_files import DataFilesDict, DataFilesList
    from datasets.packaged_modules.arrow.arrow import Arrow
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder
    from datasets.packaged_modules.parquet.parquet import Parquet

    readers: dict[str, Any] = {"imagefolder": ImageFolder, "arrow": Arrow, "parquet": Parquet}
    found = find_split(spec, Path(name), split, ImageFolder.EXTENSIONS)
    listed_files = DataFilesDict({split: DataFilesList(found.files, [])})
    settings = {"batch_size": ROWS} if found.kind == "parquet" else {}
    reader = readers[found.kind]
    return reader(cache_dir=cache, data_files=listed_files, **settings), found.skipped


def _remote(spec: str, name: str, cache: str) -> Any:  # noqa: ANN401
    """Ask the hub for a data set, and see that its files are its own."""
    import datasets

    if not NAME.fullmatch(name):
        raise InputError(f"{spec}: {quoted(name)} is neither a folder nor a name on the hub.")
    builder: Any = datasets.load_dataset_builder(name, cache_dir=cache)
    if builder.info.builder_name not in READERS:
        raise InputError(
            f"{spec} is read as {quoted(builder.info.builder_name)}: only image folders, "
            "Parquet and Arrow files are taken."
        )
    files = [str(file) for several in builder.config.data_files.values() for file in several]
    if not all(file.startswith(ON_HUB) for file in files):
        raise InputError(f"{spec} names files that are not its own.")
    return builder


def parse(spec: str, default: str | None) -> tuple[str, str]:
    """Divide ``hf:NAME:SPLIT`` into the name and the split.

    >>> parse("hf:user/set:test", None), parse("hf:user/set", "train")
    (('user/set', 'test'), ('user/set', 'train'))
    """
    rest = spec.removeprefix(HF)
    name, _, split = rest.rpartition(":")
    if not name or isdir(rest):
        name, split = rest, default or ""
    if not name or not split:
        raise InputError(
            f"{spec}: give {HF}NAME:SPLIT or {HF}FOLDER:SPLIT, such as {HF}scans:test."
        )
    return name, split


@contextmanager
def quiet(datasets: ModuleType) -> Iterator[None]:
    """Keep the package and the one it downloads with from printing, for the time of a context."""
    bars = not datasets.utils.are_progress_bars_disabled()
    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            datasets.enable_progress_bars()
