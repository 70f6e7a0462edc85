"""Image files: found, and decoded to 8-bit pixels."""

import io
import warnings
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from straylight.errors import reason_of
from straylight.formats.dicom import DicomView, is_dicom, read_dicom
from straylight.formats.unheard import unheard
from straylight.images import RGB
from straylight.tensors import Shape

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
NO_PICTURE = "DICOMDIR"
# Pillow reads many more, and runs Ghostscript for some of them. GIF is met under other names.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TOO_DEEP = ("I", "F")  # Pillow would cut their values off at 255


def fit(image: Image.Image, shape: Shape) -> NDArray[np.uint8]:
    """Convert to grey or RGB and resize (plain, no crop, antialiased) to (C, H, W) uint8."""
    channels, height, width = shape
    image = ImageOps.exif_transpose(image)
    if image.mode in TOO_DEEP:
        raise ValueError("has values of 32 bits: save it with 8 or 16")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    converted = image.convert("RGB" if channels == RGB else "L")
    if converted.size != (width, height):
        converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(converted, dtype=np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def decode(data: bytes, shape: Shape, view: DicomView | None = None) -> NDArray[np.uint8]:
    """Decode one image file to (C, H, W) uint8.

    Args:
        data: The file. Its content says its format, not its name.
        shape: Channels, height and width to bring it to.
        view: How DICOM files are shown (None: they are refused).

    Raises:
        ValueError: If it cannot be read, or claims too many pixels.
    """
    largest = Image.MAX_IMAGE_PIXELS or 2**27
    if is_dicom(data):
        if view is None:
            raise ValueError("a DICOM file is no photograph")
        return fit(read_dicom(data, view, largest), shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module="PIL", category=UserWarning)
        try:
            # libtiff prints every fault that it finds.
            quiet = unheard() if data.startswith(TIFF) else nullcontext()
            with quiet, Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return fit(image, shape)
        except UnidentifiedImageError:
            raise ValueError("no image of a known format") from None
        except MemoryError:
            raise ValueError("too large") from None
        except Exception as error:
            # Pillow's readers raise many kinds for broken files: OSError, SyntaxError, struct.error ...
            raise ValueError(reason_of(error)) from error
