"""Hugging Face data sets on the disk."""

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet


def rows_of(folder: Path) -> list[tuple[bytes, str]]:
    files = sorted(folder.rglob("*.png"), key=lambda file: file.relative_to(folder).as_posix())
    return [(file.read_bytes(), file.parent.name) for file in files]


def write_parquet(folder: Path, columns: dict[str, list[object]]) -> Path:
    folder.mkdir()
    parquet.write_table(pa.table(columns), folder / "test.parquet")
    return folder
