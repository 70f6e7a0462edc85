"""Stored pixels of DICOM files: frames and colours."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from dicoms import dicom, written
from encoded_images import BYTES, COLOUR, DEEP, GREY, VIEW
from straylight.data.files.decode import decode_image


@pytest.mark.parametrize("frames", [None, 0, 1])
def test_a_dicom_file_holds_the_frames_that_it_says(frames: int | None) -> None:
    file = dicom(np.stack([BYTES, BYTES]))
    file.NumberOfFrames = frames
    with pytest.raises(ValueError, match="has more images than stated"):
        decode_image(written(file), GREY, VIEW)
    stream = io.BytesIO()
    Image.fromarray(BYTES).save(stream, "JPEG")
    one = stream.getvalue() + b"\0" * (stream.tell() % 2)
    file.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    file.PixelData = encapsulate([one, one])
    file["PixelData"].is_undefined_length = True
    with pytest.raises(ValueError, match="has more images than stated"):
        decode_image(written(file), GREY, VIEW)


def test_colours_need_no_planar_configuration_and_lose_what_is_above_them() -> None:
    file = dicom(DEEP, "RGB", BitsStored=12, HighBit=11)
    del file.PlanarConfiguration
    expected = np.round((DEEP & 4095) / 4095 * 255).transpose(2, 0, 1)
    assert (decode_image(written(file), COLOUR, VIEW) == expected).all()
