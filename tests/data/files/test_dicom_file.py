"""DICOM files without their head or meta header."""

from pathlib import Path

import pytest

from dicoms import dicom, written
from encoded_images import DEEP, GREY, VIEW, as_big_endian, stretch_to_range
from grey_files import FULL, MONO_SPAN, MONO_VALUES, grey_pixels, load_grey_files
from straylight.data.files.decode import decode_image


def test_case_16_a_file_without_its_head_is_read_or_named(tmp_path: Path) -> None:
    whole = written(dicom(MONO_VALUES, **FULL))
    start = whole.index(b"\x08\0\x16\0UI")
    files = {
        "a.dcm": whole,
        "b.dcm": whole[start:],
        "c": whole[start:],
        "d.dcm": whole[128 + 4 :],
        "e.dcm": whole[start:-100],
    }
    found = load_grey_files(tmp_path, files)
    assert len(found) == 4
    assert (grey_pixels(found) == MONO_SPAN).all()
    ((name, reason),) = [(item.file, item.reason) for item in found.images.skipped]
    assert name == "A/e.dcm"
    assert "DICOM" in reason


def test_a_dicom_file_without_its_meta_header_is_read() -> None:
    values = DEEP[..., 0]
    for whole in (written(dicom(values)), as_big_endian(dicom(values.byteswap()))):
        start = min(
            found
            for tag in (b"\x08\0\x16\0UI", b"\0\x08\0\x16UI")
            if (found := whole.find(tag)) > 0
        )
        bare = bytes(128) + b"DICM" + whole[start:]
        assert (decode_image(bare, GREY, VIEW)[0] == stretch_to_range(values)).all()
        with pytest.raises(ValueError, match="without a meta header"):
            decode_image(bare[:-9], GREY, VIEW)
        with pytest.raises(ValueError, match="truncated pixel data: 503 of 512 bytes"):
            decode_image(whole[:-9], GREY, VIEW)
