"""TIFF files with separate planes, or of an unusual kind."""

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile

from encoded_images import BYTES, COLOUR, DEEP, GREY, VIEW, Values
from straylight.data.files.decode import decode_image
from straylight.data.files.dicom import DicomView


def encode_tiff(values: Values, **settings: Any) -> bytes:  # noqa: ANN401
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **settings)
    return stream.getvalue()


@pytest.mark.parametrize("view", [VIEW, None])
def test_deep_planes_of_a_tiff_are_refused_unless_they_are_compressed(
    view: DicomView | None,
) -> None:
    planes = np.ascontiguousarray(DEEP.transpose(2, 0, 1))
    settings = {"photometric": "rgb", "planarconfig": "separate"}
    with pytest.raises(ValueError, match="separate planes"):
        decode_image(encode_tiff(planes, **settings), COLOUR, view)
    packed = encode_tiff(planes, compression="zlib", **settings)
    assert (decode_image(packed, COLOUR, view) == planes >> 8).all()
    plain = (planes >> 8).astype(np.uint8)
    assert (decode_image(encode_tiff(plain, **settings), COLOUR, view) == plain).all()


@pytest.mark.parametrize(("values", "kind"), [(DEEP[..., 0], "minisblack"), (BYTES, "miniswhite")])
def test_a_plane_of_grey_is_refused_where_its_meaning_is_lost(values: Values, kind: str) -> None:
    together = encode_tiff(values, photometric=kind)
    entry = struct.pack("<HHIHH", 277, 3, 1, 1, 0)  # samples per pixel: the tag becomes the planes'
    separate = together.replace(entry, struct.pack("<HHIHH", 284, 3, 1, 2, 0))
    assert separate != together
    decode_image(together, GREY, VIEW)
    with pytest.raises(ValueError, match="separate planes"):
        decode_image(separate, GREY, VIEW)


def test_a_tiff_that_is_not_read_says_so() -> None:
    both = np.stack([DEEP[..., 0]] * 2, -1)
    for data in (
        encode_tiff(both, photometric="minisblack", extrasamples=["unassalpha"]),
        encode_tiff(BYTES.astype(np.int16), photometric="miniswhite"),
    ):
        with pytest.raises(ValueError, match="TIFF that is damaged or of an unusual kind"):
            decode_image(data, GREY, VIEW)
