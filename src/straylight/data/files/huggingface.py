"""Hugging Face data sets, on the hub or in a folder, streamed by the package `datasets`."""

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

from straylight.core.errors import InputError, join_names, quote_text, reason_of
from straylight.core.limits import LARGEST
from straylight.data.files.container import as_value_error
from straylight.data.files.huggingface_files import find_split
from straylight.data.files.regular import open_regular
from straylight.data.images import SkippedImage

HF = "hf:"
READERS = ("imagefolder", "parquet", "arrow")  # readers that run no code from the data set
NAME = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?")
ON_HUB, WITHIN = "hf://datasets/", "zip://"
ROWS = 8  # rows of a Parquet file in memory at a time
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class DatasetSplit:
    """One split of a data set, streamed.

    Attributes:
        spec: As the user wrote it.
        rows: The rows, a `datasets.IterableDataset`.
        features: The columns and their types.
        files: The files of the rows: paths, or addresses on the hub.
        skipped: Other files in the folder.
    """

    spec: str
    rows: Any
    features: Row
    files: frozenset[str]
    skipped: tuple[SkippedImage, ...] = ()

    @property
    def is_local(self) -> bool:
        """Return whether all files are on this machine."""
        return all(Path(file).is_file() for file in self.files)

    def column(self, wanted: str, setting: str) -> str:
        """Return the name of a column after checking that it exists and has a supported type."""
        if wanted in self.features:
            kind = self.features[wanted]
            if type(kind).__name__ != "Image" and not _is_plain_feature(kind):
                raise InputError(
                    f"{self.spec} has the column {quote_text(wanted)} of type {type(kind).__name__}: an "
                    "image, a number, a text or a class is needed."
                )
            return wanted
        raise InputError(
            f"{self.spec} has the columns {join_names(self.features)} but not {quote_text(wanted)}: "
            f"name the column with --reading {setting}=COLUMN."
        )

    def image_column(self) -> str:
        """Return the name of the image column: the only one, or ``image``."""
        images = [n for n, kind in self.features.items() if type(kind).__name__ == "Image"]
        return images[0] if len(images) == 1 else "image"

    def each(self, rows: Any) -> Iterator[Row]:  # noqa: ANN401 (the package has no types)
        """Yield rows of the split; raise InputError if they cannot be read."""
        try:
            yield from rows
        except Exception as error:
            # datasets, pyarrow and fsspec each raise their own exception types.
            raise InputError(f"{self.spec} cannot be read: {reason_of(error)}.") from error

    def read(self, value: object) -> bytes:
        """Return the bytes of an image; only files of the data set are read.

        Raises:
            ValueError: If the row has no image, or it cannot be read.
        """
        data = value.get("bytes") if isinstance(value, dict) else value
        path = value.get("path") if isinstance(value, dict) else None
        if isinstance(data, bytes):
            return data
        *hops, last = path.split("::") if isinstance(path, str) else [""]
        if last not in self.files or not all(hop.startswith(WITHIN) for hop in hops):
            raise ValueError("the row has no image")
        if last.startswith(ON_HUB):
            return _download_file(str(path))
        if Path(last).stat().st_size > LARGEST:
            raise ValueError(f"larger than {LARGEST // 2**20} MiB")
        with as_value_error(), open_regular(Path(last)) as stream:
            return stream.read()


def _is_plain_feature(kind: object) -> bool:
    """Return whether a column has plain values; others are decoded while reading, even from remote."""
    if isinstance(kind, dict):
        return all(map(_is_plain_feature, kind.values()))
    if isinstance(kind, list):
        return all(map(_is_plain_feature, kind))
    if type(kind).__name__ in ("List", "LargeList", "Sequence"):
        return _is_plain_feature(getattr(kind, "feature", None))
    return type(kind).__name__ in ("Value", "ClassLabel")


def _download_file(address: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(address, "rb") as stream:  # type: ignore[no-untyped-call]
            found: bytes = stream.read()
            return found
    except Exception as error:
        # Each file system of fsspec raises its own exception types.
        raise ValueError(f"cannot be read: {type(error).__name__}") from error


@contextmanager
def open_split(spec: str, default: str | None) -> Iterator[DatasetSplit]:
    """Open one split for the duration of a context, with a temporary cache folder."""
    name, split = _parse_hf_spec(spec, default)
    try:
        import datasets
    except ImportError:
        raise InputError(f"{spec} needs datasets: 'pip install straylight[hf]'.") from None
    with silence_datasets(datasets), TemporaryDirectory() as folder:
        try:
            builder, skipped = (
                _open_local(spec, name, split, folder)
                if isdir(name)
                else (_open_remote(spec, name, folder), ())
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
            # datasets, pyarrow and huggingface_hub each raise their own exception types.
            raise InputError(f"{spec} cannot be loaded: {reason_of(error)}.") from error
        yield DatasetSplit(spec, rows, features, files, skipped)


def _open_local(
    spec: str, name: str, split: str, cache: str
) -> tuple[Any, tuple[SkippedImage, ...]]:
    """Open a folder with an explicit list of files, so that the package searches and downloads nothing."""
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


def _open_remote(spec: str, name: str, cache: str) -> Any:  # noqa: ANN401
    """Open a data set on the hub, and check that all its files belong to it."""
    import datasets

    if not NAME.fullmatch(name):
        raise InputError(
            f"{spec}: {quote_text(name)} is neither a folder nor a data set name on the hub."
        )
    builder: Any = datasets.load_dataset_builder(name, cache_dir=cache)
    if builder.info.builder_name not in READERS:
        raise InputError(
            f"{spec} is read as {quote_text(builder.info.builder_name)}: only image folders, "
            "Parquet and Arrow files are supported."
        )
    files = [str(file) for several in builder.config.data_files.values() for file in several]
    if not all(file.startswith(ON_HUB) for file in files):
        raise InputError(f"{spec} refers to files outside the data set.")
    return builder


def _parse_hf_spec(spec: str, default: str | None) -> tuple[str, str]:
    """Split ``hf:NAME:SPLIT`` into the name and the split.

    >>> _parse_hf_spec("hf:user/set:test", None), _parse_hf_spec("hf:user/set", "train")
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
def silence_datasets(datasets: ModuleType) -> Iterator[None]:
    """Suppress the output of datasets and huggingface_hub for the duration of a context."""
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
