"""Pictures in ordinary formats, opened within bounds: the right page, opaque, of any depth."""

import warnings
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from straylight.errors import reason_of
from straylight.formats.bounded import Bounded, TooCostlyError
from straylight.formats.codestreams import check_codestream, depth_of
from straylight.formats.dicom import DicomView
from straylight.formats.gifs import count_images
from straylight.formats.levels import grey_levels
from straylight.formats.portable import is_portable, read_portable
from straylight.formats.tiffs import check_directories
from straylight.formats.unheard import unheard
from straylight.limits import LARGEST_EXIF, LARGEST_RUN_WIDTH, PICTURE_STEPS, WORK
from straylight.ranges import EIGHT_BITS, UPPER_BITS, ValueRange

# Pillow reads many more, and runs Ghostscript for some of them.
PILLOW = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG_2000 = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")
SEVERAL = "has several pages or frames: choose one with --reading frame=K"
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
LEAST_IS_WHITE, GREATEST_IS_WHITE, SIGNED = 0, 1, 2
DARK = 63  # of 255: the greatest value of 16-bit colours that were filled with 14 bits


def read_raster(
    data: bytes, view: DicomView | None, largest: int
) -> tuple[Image.Image, ValueRange]:
    """Decode an image file to a picture, turned upright.

    Args:
        data: The file. Its content says its format, not its name.
        view: Window and page of medical images, whose grey values of more than 8 bits are measured, so
            that none of them is white by itself. None: a photograph, of which the first page counts.
        largest: Pixels that it may claim.

    Raises:
        ValueError: If it cannot be read, claims too many pixels, or asks for more work than they do.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module="PIL", category=UserWarning)
        try:
            if is_portable(data):
                window = None if view is None else view.as_window()
                return read_portable(data, view is not None, window, largest)
            _check_structure(data, view)
            # libtiff prints every fault that it finds.
            quiet = unheard() if data.startswith(TIFF) else nullcontext()
            with quiet, Image.open(Bounded(data, PICTURE_STEPS), formats=PILLOW) as image:
                if view is not None:
                    _choose_page(image, view, data, largest)
                if len(image.info.get("exif", b"")) > LARGEST_EXIF:
                    raise TooCostlyError("has notes of a camera that are longer than any")
                upright = ImageOps.exif_transpose(image)
                upright.load()
                return (
                    (upright, EIGHT_BITS) if view is None else _measured(image, upright, view, data)
                )
        except UnidentifiedImageError:
            raise ValueError("no image of a known format") from None
        except MemoryError:
            raise ValueError("too large") from None
        except Exception as error:
            # Pillow's readers raise many kinds for broken files: OSError, SyntaxError, struct.error ...
            raise ValueError(reason_of(error)) from error


def _check_structure(data: bytes, view: DicomView | None) -> None:
    """Raise `TooCostlyError` for files whose decoders in C would work without end."""
    if data.startswith((b"\xff\xd8", *JPEG_2000)):
        check_codestream(data)
    elif data.startswith(TIFF):
        check_directories(data, max(0, view.frame) if view else 0)
    elif data.startswith(b"BM"):
        width = abs(int.from_bytes(data[18:22], "little", signed=True))
        if data[30:34] in (b"\1\0\0\0", b"\2\0\0\0") and width > LARGEST_RUN_WIDTH:
            raise TooCostlyError("is a bitmap of run lengths that is wider than any")


def _choose_page(image: Image.Image, view: DicomView, data: bytes, largest: int) -> None:
    """Go to the page or frame that was chosen, where there are several."""
    if image.format == "GIF":
        pages = count_images(data)
    elif image.format in ("PNG", "WEBP"):
        pages = getattr(image, "n_frames", 1)
    elif image.format == "TIFF":
        pages = 2 if _has_second(image) else 1
    else:
        return
    if pages <= 1:
        return
    if view.frame < 0:
        raise ValueError(SEVERAL)
    decoded = view.frame + 1 if image.format != "TIFF" else 1
    if decoded * image.width * image.height > max(WORK, image.width * image.height):
        raise TooCostlyError(f"takes too long to the frame {view.frame}")
    if not _has_page(image, view.frame):
        raise ValueError(f"has no page or frame of the number {view.frame}")
    if image.width * image.height > largest:
        raise ValueError(f"claims {image.height} x {image.width} pixels, which is too many")


def _has_second(image: Image.Image) -> bool:
    """Return whether a TIFF has a second page, be it broken."""
    try:
        return _has_page(image, 1)
    except TooCostlyError:
        raise
    except Exception:  # Pillow raises many kinds
        return True


def _has_page(image: Image.Image, page: int) -> bool:
    """Go to a page, and tell whether it is there; of two, the first stays open where it is not."""
    try:
        image.seek(page)
    except EOFError:
        image.seek(0)
        return False
    return True


def _measured(
    opened: Image.Image, image: Image.Image, view: DicomView, data: bytes
) -> tuple[Image.Image, ValueRange]:
    """Bring a medical image to 8 bits, if it is not, or refuse what has no one meaning."""
    tags = getattr(opened, "tag_v2", {})
    bits = max(np.atleast_1d(tags.get(BITS_PER_SAMPLE, (1,))), default=1)
    deep_png = opened.format == "PNG" and data[24:25] == b"\x10"
    if image.mode.startswith("I;16") or (image.mode == "I" and (deep_png or bits == 16)):
        values = np.asarray(image)
        if opened.format == "JPEG2000":
            values = _at_own_depth(values, data)
        if opened.info.get("transparency") is not None:
            _check_opaque(values != opened.info["transparency"])
        grey, told = grey_levels(values, view.as_window())
        # Pillow turns only values of 8 bits over.
        return Image.fromarray(
            255 - grey if tags.get(PHOTOMETRIC) == LEAST_IS_WHITE else grey
        ), told
    if SIGNED in np.atleast_1d(tags.get(SAMPLE_FORMAT, ())):
        return _signed_bytes(image, view, plain=tags.get(PHOTOMETRIC) == GREATEST_IS_WHITE)
    if image.mode in ("I", "F"):
        raise ValueError("has values of 32 bits: save it with 8 or 16")
    if image.has_transparency_data:
        _check_opaque(np.asarray(image.convert("RGBA").getchannel("A")) == 255)
    if not (deep_png or bits > 8):
        return image, EIGHT_BITS
    # Pillow takes the upper half of colours of 16 bits.
    if np.asarray(image.convert("RGB").getextrema()).max() <= DARK:
        raise ValueError("has colours of 16 bits that are filled with fewer: save it with 8 bits")
    return image, ValueRange(UPPER_BITS, 0.0, 65535.0)


def _signed_bytes(
    image: Image.Image, view: DicomView, *, plain: bool
) -> tuple[Image.Image, ValueRange]:
    """Bring signed values of 8 bits to grey levels: Pillow takes them as if they had no sign."""
    if image.mode != "L" or not plain:
        raise ValueError("has signed values that are not grey of 8 or 16 bits")
    grey, told = grey_levels(np.asarray(image).view(np.int8), view.as_window())
    return Image.fromarray(grey), told


def _at_own_depth(values: NDArray[np.uint16], data: bytes) -> NDArray[np.int32]:
    """Undo what Pillow does to JPEG 2000: values shifted up to 16 bits, and none below zero."""
    bits, signed = depth_of(data)
    return (values.astype(np.int32) >> 16 - bits) - (signed << bits - 1)


def _check_opaque(opaque: NDArray[np.bool_]) -> None:
    """Raise a ValueError if a picture shows through."""
    if not opaque.all():
        raise ValueError(
            "is transparent in places: put it on a background, and save it without alpha"
        )
