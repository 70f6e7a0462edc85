"""Decode image files to 8-bit pixels of a given shape."""

import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from straylight.core.conventions import Shape
from straylight.data.files.dicom import DicomView, is_dicom, read_dicom
from straylight.data.files.raster import PILLOW, read_raster
from straylight.data.images import RGB
from straylight.data.value_ranges import ValueRange

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
NO_PICTURE = "DICOMDIR"
FORMATS = (*PILLOW, "PPM")  # named as in Pillow; the last is read without Pillow
TOO_DEEP = ("I", "F")  # Pillow would clip their values at 255


def resize_to_shape(image: Image.Image, shape: Shape) -> NDArray[np.uint8]:
    """Convert to grey or RGB and resize (no crop, antialiased) to (C, H, W) uint8."""
    channels, height, width = shape
    if image.mode in TOO_DEEP:
        raise ValueError("has 32-bit values: save it with 8 or 16 bits")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    converted = image.convert("RGB" if channels == RGB else "L")
    if converted.size != (width, height):
        converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(converted, dtype=np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def decode_image(data: bytes, shape: Shape, view: DicomView | None = None) -> NDArray[np.uint8]:
    """Decode one image file to (C, H, W) uint8 (see `decode_with_range`)."""
    return decode_with_range(data, shape, view)[0]


def decode_with_range(
    data: bytes, shape: Shape, view: DicomView | None = None
) -> tuple[NDArray[np.uint8], ValueRange]:
    """Decode one image file to (C, H, W) uint8 and return its value range.

    Args:
        data: The file. Its format is detected from its content, not its name.
        shape: Target channels, height and width.
        view: Display of medical images (None: a photograph, which is never DICOM).

    Raises:
        ValueError: If it cannot be read, or claims too many pixels.
    """
    largest = Image.MAX_IMAGE_PIXELS or 2**27
    if not is_dicom(data):
        image, value_range = read_raster(data, view, largest)
    elif view is None:
        raise ValueError("a DICOM file is not a photograph")
    else:
        image, value_range = read_dicom(data, view, largest)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL", category=UserWarning)
        try:
            return resize_to_shape(image, shape), value_range
        except MemoryError:
            raise ValueError("too large") from None
