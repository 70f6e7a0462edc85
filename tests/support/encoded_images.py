"""Images of unusual depth, planes, number or size, encoded as files."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.uid import ExplicitVRBigEndian

from dicoms import written
from straylight.data.files.dicom import DicomView

Values = NDArray[Any]
PATCH_SIDE = 16
GREY, COLOUR = (1, PATCH_SIDE, PATCH_SIDE), (3, PATCH_SIDE, PATCH_SIDE)
VIEW = DicomView()
RNG = np.random.default_rng(5)
DEEP = RNG.integers(0, 2**16, (PATCH_SIDE, PATCH_SIDE, 3)).astype(np.uint16)
BYTES = RNG.integers(0, 256, (PATCH_SIDE, PATCH_SIDE), dtype=np.uint8)


def stretch_to_range(values: Values) -> NDArray[np.uint8]:
    shares = (values - values.min()) / np.ptp(values)
    found: NDArray[np.uint8] = np.round(255 * shares).astype(np.uint8)
    return found


def encode_jpeg_2000(values: Values) -> bytearray:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "JPEG2000", no_jp2=True)
    return bytearray(stream.getvalue())


def as_big_endian(file: FileDataset) -> bytes:
    bare = Dataset()  # of no byte order yet
    bare.update(file)
    bare.file_meta = file.file_meta
    bare.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    return written(bare)
