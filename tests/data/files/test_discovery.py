"""Image files are found by suffix or content, and other files are reported."""

import zipfile
from pathlib import Path

import numpy as np

from image_folders import TINY_SHAPE, read_levels, write_picture
from straylight.cohort.load import load_cohort
from straylight.data.photographs.load import load_natural


def test_case_5_pictures_under_any_suffix_are_read(tmp_path: Path) -> None:
    forms = {"a.png": "PNG", "b.gif": "GIF", "c.jfif": "JPEG", "d.jpe": "JPEG", "e.ppm": "PPM"}
    forms |= {"f.jp2": "JPEG2000", "g.IMG": "TIFF", "h": "BMP", "i.pgm": "PPM", "j.xyz": "WEBP"}
    for number, (name, form) in enumerate(forms.items()):
        write_picture(tmp_path / "A" / name, 20 * number, form)
    for images in (load_cohort(tmp_path, TINY_SHAPE).images, load_natural(tmp_path, TINY_SHAPE)):
        assert images.skipped == ()
        assert np.abs(np.array(read_levels(images)) - 20 * np.arange(len(forms))).max() <= 2


def test_case_16_files_that_are_no_pictures_are_counted_and_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "A" / "a.png")
    for name in ("notes.bin", "scan.nii", "4711", "film.mp4"):
        (tmp_path / "A" / name).write_bytes(b"something")
    with zipfile.ZipFile(tmp_path / "A" / "more.zip", "w") as archive:
        archive.writestr("a.png", b"")
    for name in ("README", "labels.csv", "Thumbs.db", "desktop.ini", ".DS_Store", "DICOMDIR"):
        (tmp_path / "A" / name).write_bytes(b"something")
    for name in ("@eaDir", ".thumbnails", "__MACOSX"):
        write_picture(tmp_path / "A" / name / "a.png")
    write_picture(tmp_path / "loose.png")
    cohort = load_cohort(tmp_path, TINY_SHAPE)
    assert len(cohort) == 1
    said = {item.file: item.reason for item in cohort.images.skipped}
    unknown = "not an image in a known format"
    assert said == dict.fromkeys(("A/notes.bin", "A/scan.nii", "A/4711", "A/film.mp4"), unknown) | {
        "A/more.zip": "an archive in an archive or folder: unpack it first",
        "loose.png": "not in a class folder",
    }
