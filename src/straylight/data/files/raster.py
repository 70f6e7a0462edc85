"""Pictures in ordinary formats, opened within bounds: the right page, opaque, of any depth."""

import warnings
import zlib
from contextlib import nullcontext

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from straylight.core.errors import reason_of
from straylight.core.limits import LARGEST_EXIF, LARGEST_RUN_WIDTH, PICTURE_STEPS, WORK
from straylight.data.files.bounded_stream import Bounded, TooCostlyError, check_proportion
from straylight.data.files.dicom import DicomView
from straylight.data.files.gif import count_images
from straylight.data.files.grey_levels import grey_levels, spread, to_8_bits
from straylight.data.files.jpeg_codestreams import check_codestream, depths_of
from straylight.data.files.netpbm import is_portable, read_portable
from straylight.data.files.suppress_stderr import unheard
from straylight.data.files.tiff import UNREAD, check_directories, check_planes
from straylight.data.value_ranges import EIGHT_BITS, STORED, UPPER_BITS, ValueRange

# Pillow reads many more, and runs Ghostscript for some of them.
PILLOW = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG_2000 = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")
SEVERAL = "has several pages or frames: choose one with --reading frame=K"
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
LEAST_IS_WHITE, GREATEST_IS_WHITE, SIGNED = 0, 1, 2
GREY_ALPHA_16, RGBA_8 = b"\x10\x04", b"\x08\x06"  # depth and colours of PNG
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
            with (
                quiet,
                Image.open(Bounded(_halved(data, view), PICTURE_STEPS), formats=PILLOW) as image,
            ):
                if view is not None:
                    _choose_page(image, view, data, largest)
                check_planes(image)
                size = 2 if image.mode.startswith("I;16") else 1
                check_proportion(image.width * image.height * len(image.getbands()) * size, data)
                if len(image.info.get("exif", b"")) > LARGEST_EXIF:
                    raise TooCostlyError("has notes of a camera that are longer than any")
                # In place: a copy would double its memory.
                ImageOps.exif_transpose(image, in_place=True)
                return (image, EIGHT_BITS) if view is None else _measured(image, view, data)
        except UnidentifiedImageError:
            known = UNREAD if data.startswith(TIFF) else "no image of a known format"
            raise ValueError(known) from None
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


def _halved(data: bytes, view: DicomView | None) -> bytes:
    """Return a PNG of 16-bit grey with alpha as RGBA, which are its upper and lower halves.

    Pillow would keep the upper ones. The file differs in nothing but its header.
    """
    if view is None or not _is_grey_with_alpha(data):
        return data
    head = b"IHDR" + data[16:24] + RGBA_8 + data[26:29]
    return data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:]


def _is_grey_with_alpha(data: bytes) -> bool:
    """Tell a PNG of 16-bit grey with alpha."""
    return data.startswith(b"\x89PNG") and data[24:26] == GREY_ALPHA_16


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


def _measured(image: Image.Image, view: DicomView, data: bytes) -> tuple[Image.Image, ValueRange]:
    """Bring a medical image to 8 bits, if it is not, or refuse what has no one meaning."""
    if image.format == "JPEG2000":
        return _at_own_depth(image, view, *depths_of(data))
    if _is_grey_with_alpha(data):
        values = np.asarray(image).view(">u2").astype(np.uint16)
        _check_opaque(bool((values[..., 1] == 2**16 - 1).all()))
        grey, told = grey_levels(values[..., 0], view.as_window())
        return Image.fromarray(grey), told
    tags = getattr(image, "tag_v2", {})
    bits = max(np.atleast_1d(tags.get(BITS_PER_SAMPLE, (1,))), default=1)
    deep_png = image.format == "PNG" and data[24:25] == b"\x10"
    if image.mode.startswith("I;16") or (image.mode == "I" and (deep_png or bits == 16)):
        values = np.asarray(image)
        if image.info.get("transparency") is not None:
            _check_opaque(bool((values != image.info["transparency"]).all()))
        grey, told = grey_levels(values, view.as_window())
        # Pillow turns only values of 8 bits over.
        return Image.fromarray(
            255 - grey if tags.get(PHOTOMETRIC) == LEAST_IS_WHITE else grey
        ), told
    if SIGNED in np.atleast_1d(tags.get(SAMPLE_FORMAT, ())):
        return _signed_bytes(image, view, plain=tags.get(PHOTOMETRIC) == GREATEST_IS_WHITE)
    if image.mode in ("I", "F"):
        raise ValueError("has values of 32 bits: save it with 8 or 16")
    _check_opaque(_is_opaque(image))
    return _upper_bits(image, 16) if deep_png or bits > 8 else (image, EIGHT_BITS)


def _upper_bits(image: Image.Image, bits: int) -> tuple[Image.Image, ValueRange]:
    """Return colours of which Pillow took the upper 8 bits, unless that left next to nothing."""
    # Of grey with alpha it is the same.
    if np.asarray(image.convert("RGB").getextrema()).max() <= DARK:
        raise ValueError(
            f"has colours of {bits} bits that are filled with fewer: save it with 8 bits"
        )
    return image, ValueRange(UPPER_BITS, 0.0, 2.0**bits - 1)


def _signed_bytes(
    image: Image.Image, view: DicomView, *, plain: bool
) -> tuple[Image.Image, ValueRange]:
    """Bring signed values of 8 bits to grey levels: Pillow takes them as if they had no sign."""
    if image.mode != "L" or not plain:
        raise ValueError("has signed values that are not grey of 8 or 16 bits")
    grey, told = grey_levels(np.asarray(image).view(np.int8), view.as_window())
    return Image.fromarray(grey), told


def _at_own_depth(
    image: Image.Image, view: DicomView, bits: int, signed: bool
) -> tuple[Image.Image, ValueRange]:
    """Undo what Pillow does to JPEG 2000: values shifted to 8 or 16 bits, and none below zero."""
    if image.mode == "I;16" or (image.mode == "L" and signed):
        size = 16 if image.mode == "I;16" else 8
        values = (np.asarray(image).astype(np.int32) >> size - bits) - (signed << bits - 1)
        grey, told = grey_levels(values, view.as_window())
        return Image.fromarray(grey), told
    if signed:
        raise ValueError("has signed values that are not grey")
    _check_opaque(_is_opaque(image))
    if bits > 8 and image.mode == "LA":
        raise ValueError("is grey of more than 8 bits with alpha: save it without alpha")
    if bits >= 8:
        return _upper_bits(image, bits) if bits > 8 else (image, EIGHT_BITS)
    if image.mode not in ("L", "RGB"):
        raise ValueError("has fewer than 8 bits that are neither grey nor RGB: save it with 8")
    told = ValueRange(STORED, 0.0, 2.0**bits - 1)
    values = np.asarray(image) >> 8 - bits
    return Image.fromarray(to_8_bits(values, spread(told.darkest, told.lightest))), told


def _is_opaque(image: Image.Image) -> bool:
    """Return whether nothing shows through a picture."""
    if not image.has_transparency_data:
        return True
    whole = image if "A" in image.getbands() else image.convert("RGBA")
    return whole.getextrema()[-1] == (255, 255)


def _check_opaque(opaque: bool) -> None:
    """Raise a ValueError if a picture shows through."""
    if not opaque:
        raise ValueError(
            "is transparent in places: put it on a background, and save it without alpha"
        )
