"""Manifests of class folders."""

import csv
from pathlib import Path

from straylight.data.files.discovery import find_image_files
from straylight.data.files.folder import Folder

COHORT_SHAPE = (3, 20, 24)


def write_manifest(folder: Path, rows: list[tuple[str, str]], header: str = "file,label") -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        stream.write(header + "\r\n")
        csv.writer(stream).writerows(rows)
    return path


def rows_of_folder(folder: Path) -> list[tuple[str, str]]:
    return [
        (name, name.split("/")[-2]) for name in find_image_files(Folder(folder), dicom=False).names
    ]
