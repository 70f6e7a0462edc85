"""Image files: found, and decoded to 8-bit pixels."""

import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from straylight.core.tensors import Shape
from straylight.data.files.dicom import DicomView, is_dicom, read_dicom
from straylight.data.files.raster import PILLOW, read_raster
from straylight.data.images import RGB
from straylight.data.value_ranges import ValueRange

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
NO_PICTURE = "DICOMDIR"
FORMATS = (*PILLOW, "PPM")  # as Pillow names them; the last is read without it
TOO_DEEP = ("I", "F")  # Pillow would cut their values off at 255


def fit(image: Image.Image, shape: Shape) -> NDArray[np.uint8]:
    """Convert to grey or RGB and resize (plain, no crop, antialiased) to (C, H, W) uint8."""
    channels, height, width = shape
    if image.mode in TOO_DEEP:
        raise ValueError("has values of 32 bits: save it with 8 or 16")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    converted = image.convert("RGB" if channels == RGB else "L")
    if converted.size != (width, height):
        converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(converted, dtype=np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def decode(data: bytes, shape: Shape, view: DicomView | None = None) -> NDArray[np.uint8]:
    """Decode one image file to (C, H, W) uint8 (see `decode_with_range`)."""
    return decode_with_range(data, shape, view)[0]


def decode_with_range(
    data: bytes, shape: Shape, view: DicomView | None = None
) -> tuple[NDArray[np.uint8], ValueRange]:
    """Decode one image file to (C, H, W) uint8, and say which values became black and white.

    Args:
        data: The file. Its content says its format, not its name.
        shape: Channels, height and width to bring it to.
        view: How medical images are shown (None: a photograph, which is never DICOM).

    Raises:
        ValueError: If it cannot be read, or claims too many pixels.
    """
    largest = Image.MAX_IMAGE_PIXELS or 2**27
    if not is_dicom(data):
        image, told = read_raster(data, view, largest)
    elif view is None:
        raise ValueError("a DICOM file is no photograph")
    else:
        image, told = read_dicom(data, view, largest)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL", category=UserWarning)
        try:
            return fit(image, shape), told
        except MemoryError:
            raise ValueError("too large") from None
