"""Decode ordinary image formats within bounds: the chosen page, opaque, of any depth."""

import warnings
import zlib
from contextlib import nullcontext

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from straylight.core.errors import reason_of
from straylight.core.limits import LARGEST_EXIF, LARGEST_RUN_WIDTH, PICTURE_STEPS, WORK
from straylight.data.files.bounded_stream import BoundedStream, TooCostlyError, check_claimed_size
from straylight.data.files.dicom import DicomView
from straylight.data.files.gif import count_gif_images
from straylight.data.files.grey_levels import grey_to_8_bits, linear_share, to_8_bits
from straylight.data.files.jpeg_codestreams import check_codestream, jpeg2000_depth
from straylight.data.files.netpbm import is_portable_map, read_portable_map
from straylight.data.files.tiff import (
    UNREAD,
    check_tiff_directories,
    check_tiff_planes,
    suppress_stderr,
)
from straylight.data.value_ranges import EIGHT_BITS, STORED, UPPER_BITS, ValueRange

# Pillow supports many more, and runs Ghostscript for some of them.
PILLOW = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG_2000 = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")
SEVERAL = "has several pages or frames: choose one with --reading frame=K"
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
LEAST_IS_WHITE, GREATEST_IS_WHITE, SIGNED = 0, 1, 2
GREY_ALPHA_16, RGBA_8 = b"\x10\x04", b"\x08\x06"  # depth and colour type of PNG
DARK = 63  # of 255: the maximum of 16-bit colours that use only 14 bits


def read_raster(
    data: bytes, view: DicomView | None, largest: int
) -> tuple[Image.Image, ValueRange]:
    """Decode an image file, rotated by its EXIF orientation.

    Args:
        data: The file. Its format is detected from its content, not its name.
        view: Window and page of medical images, whose grey values of more than 8 bits are measurements
            without a fixed white. None: a photograph, of which the first page is used.
        largest: Maximum number of pixels.

    Raises:
        ValueError: If it cannot be read, claims too many pixels, or needs more work than an image should.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module="PIL", category=UserWarning)
        try:
            if is_portable_map(data):
                window = None if view is None else view.as_window()
                return read_portable_map(data, view is not None, window, largest)
            _check_structure(data, view)
            # libtiff prints every error that it finds.
            quiet = suppress_stderr() if data.startswith(TIFF) else nullcontext()
            with (
                quiet,
                Image.open(
                    BoundedStream(_grey_alpha_as_rgba(data, view), PICTURE_STEPS), formats=PILLOW
                ) as image,
            ):
                if view is not None:
                    _choose_page(image, view, data, largest)
                check_tiff_planes(image)
                size = 2 if image.mode.startswith("I;16") else 1
                check_claimed_size(image.width * image.height * len(image.getbands()) * size, data)
                if len(image.info.get("exif", b"")) > LARGEST_EXIF:
                    raise TooCostlyError("has too much EXIF data")
                # In place: a copy would double the memory.
                ImageOps.exif_transpose(image, in_place=True)
                return (
                    (image, EIGHT_BITS) if view is None else _medical_to_8_bits(image, view, data)
                )
        except UnidentifiedImageError:
            known = UNREAD if data.startswith(TIFF) else "not an image in a known format"
            raise ValueError(known) from None
        except MemoryError:
            raise ValueError("too large") from None
        except Exception as error:
            # Pillow's readers raise many exception types for damaged files: OSError, SyntaxError, ...
            raise ValueError(reason_of(error)) from error


def _check_structure(data: bytes, view: DicomView | None) -> None:
    """Raise TooCostlyError for files whose decoders in C would run for too long."""
    if data.startswith((b"\xff\xd8", *JPEG_2000)):
        check_codestream(data)
    elif data.startswith(TIFF):
        check_tiff_directories(data, max(0, view.frame) if view else 0)
    elif data.startswith(b"BM"):
        width = abs(int.from_bytes(data[18:22], "little", signed=True))
        if data[30:34] in (b"\1\0\0\0", b"\2\0\0\0") and width > LARGEST_RUN_WIDTH:
            raise TooCostlyError("is a run-length encoded bitmap that is too wide")


def _grey_alpha_as_rgba(data: bytes, view: DicomView | None) -> bytes:
    """Return a PNG of 16-bit grey with alpha as 8-bit RGBA: the upper and lower bytes of both.

    Pillow would keep the upper bytes only. The file differs only in its header.
    """
    if view is None or not _is_grey_with_alpha(data):
        return data
    head = b"IHDR" + data[16:24] + RGBA_8 + data[26:29]
    return data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]


def _is_grey_with_alpha(data: bytes) -> bool:
    """Return whether a file is a PNG of 16-bit grey with alpha."""
    return data.startswith(b"\x89PNG") and data[24:26] == GREY_ALPHA_16


def _choose_page(image: Image.Image, view: DicomView, data: bytes, largest: int) -> None:
    """Seek the chosen page or frame, if there are several."""
    if image.format == "GIF":
        pages = count_gif_images(data)
    elif image.format in ("PNG", "WEBP"):
        pages = getattr(image, "n_frames", 1)
    elif image.format == "TIFF":
        pages = 2 if _has_second_page(image) else 1
    else:
        return
    if pages <= 1:
        return
    if view.frame < 0:
        raise ValueError(SEVERAL)
    decoded = view.frame + 1 if image.format != "TIFF" else 1
    if decoded * image.width * image.height > max(WORK, image.width * image.height):
        raise TooCostlyError(f"takes too long to decode up to frame {view.frame}")
    if not _seek_page(image, view.frame):
        raise ValueError(f"has no page or frame {view.frame}")
    if image.width * image.height > largest:
        raise ValueError(f"claims {image.height} x {image.width} pixels, which is too many")


def _has_second_page(image: Image.Image) -> bool:
    """Return whether a TIFF has a second page, even a damaged one."""
    try:
        return _seek_page(image, 1)
    except TooCostlyError:
        raise
    except Exception:  # Pillow raises many exception types
        return True


def _seek_page(image: Image.Image, page: int) -> bool:
    """Seek a page and return whether it exists; if not, return to the first page."""
    try:
        image.seek(page)
    except EOFError:
        image.seek(0)
        return False
    return True


def _medical_to_8_bits(
    image: Image.Image, view: DicomView, data: bytes
) -> tuple[Image.Image, ValueRange]:
    """Convert a medical image to 8 bits; raise ValueError if its values are ambiguous."""
    if image.format == "JPEG2000":
        return _jpeg2000_to_8_bits(image, view, *jpeg2000_depth(data))
    if _is_grey_with_alpha(data):
        values = np.asarray(image).view(">u2").astype(np.uint16)
        _check_opaque(bool((values[..., 1] == 2**16 - 1).all()))
        grey, value_range = grey_to_8_bits(values[..., 0], view.as_window())
        return Image.fromarray(grey), value_range
    tags = getattr(image, "tag_v2", {})
    bits = max(np.atleast_1d(tags.get(BITS_PER_SAMPLE, (1,))), default=1)
    deep_png = image.format == "PNG" and data[24:25] == b"\x10"
    if image.mode.startswith("I;16") or (image.mode == "I" and (deep_png or bits == 16)):
        values = np.asarray(image)
        if image.info.get("transparency") is not None:
            _check_opaque(bool((values != image.info["transparency"]).all()))
        grey, value_range = grey_to_8_bits(values, view.as_window())
        # Pillow inverts only 8-bit values.
        return Image.fromarray(
            255 - grey if tags.get(PHOTOMETRIC) == LEAST_IS_WHITE else grey
        ), value_range
    if SIGNED in np.atleast_1d(tags.get(SAMPLE_FORMAT, ())):
        return _signed_to_8_bits(image, view, plain=tags.get(PHOTOMETRIC) == GREATEST_IS_WHITE)
    if image.mode in ("I", "F"):
        raise ValueError("has 32-bit values: save it with 8 or 16 bits")
    _check_opaque(_is_opaque(image))
    return _check_upper_bits(image, 16) if deep_png or bits > 8 else (image, EIGHT_BITS)


def _check_upper_bits(image: Image.Image, bits: int) -> tuple[Image.Image, ValueRange]:
    """Return colours of which Pillow kept the upper 8 bits; raise ValueError if those are nearly empty."""
    # The same holds for grey with alpha.
    if np.asarray(image.convert("RGB").getextrema()).max() <= DARK:
        raise ValueError(f"has colours of {bits} bits that use fewer: save it with 8 bits")
    return image, ValueRange(UPPER_BITS, 0.0, 2.0**bits - 1)


def _signed_to_8_bits(
    image: Image.Image, view: DicomView, *, plain: bool
) -> tuple[Image.Image, ValueRange]:
    """Convert signed 8-bit values to grey levels; Pillow reads them as unsigned."""
    if image.mode != "L" or not plain:
        raise ValueError("has signed values that are not 8-bit or 16-bit grey")
    grey, value_range = grey_to_8_bits(np.asarray(image).view(np.int8), view.as_window())
    return Image.fromarray(grey), value_range


def _jpeg2000_to_8_bits(
    image: Image.Image, view: DicomView, bits: int, signed: bool
) -> tuple[Image.Image, ValueRange]:
    """Convert JPEG 2000 to 8 bits from its own depth: Pillow shifts values to 8 or 16 bits, unsigned."""
    if image.mode == "I;16" or (image.mode == "L" and signed):
        size = 16 if image.mode == "I;16" else 8
        values = (np.asarray(image).astype(np.int32) >> size - bits) - (signed << bits - 1)
        grey, value_range = grey_to_8_bits(values, view.as_window())
        return Image.fromarray(grey), value_range
    if signed:
        raise ValueError("has signed values that are not grey")
    _check_opaque(_is_opaque(image))
    if bits > 8 and image.mode == "LA":
        raise ValueError("is grey with more than 8 bits and alpha: save it without alpha")
    if bits >= 8:
        return _check_upper_bits(image, bits) if bits > 8 else (image, EIGHT_BITS)
    if image.mode not in ("L", "RGB"):
        raise ValueError("has fewer than 8 bits and is neither grey nor RGB: save it with 8 bits")
    value_range = ValueRange(STORED, 0.0, 2.0**bits - 1)
    values = np.asarray(image) >> 8 - bits
    return Image.fromarray(
        to_8_bits(values, linear_share(value_range.darkest, value_range.lightest))
    ), value_range


def _is_opaque(image: Image.Image) -> bool:
    """Return whether an image is fully opaque."""
    if not image.has_transparency_data:
        return True
    whole = image if "A" in image.getbands() else image.convert("RGBA")
    return whole.getextrema()[-1] == (255, 255)


def _check_opaque(opaque: bool) -> None:
    """Raise ValueError unless an image is opaque."""
    if not opaque:
        raise ValueError("is partly transparent: put it on a background and save it without alpha")
