"""Decode DICOM files as a viewer would display them, without any patient data."""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut
from pydicom.uid import UID, AllTransferSyntaxes

from straylight.core.errors import InputError, quote_text
from straylight.data.files.bounded_stream import TooCostlyError
from straylight.data.files.dicom_file import is_dicom, open_dicom
from straylight.data.files.dicom_greyscale import render_greyscale
from straylight.data.files.dicom_pixels import check_pixel_tags, decode_stored_pixels
from straylight.data.files.dicom_tags import (
    DicomRefusedError,
    required_integer,
    swap_palettes,
    tag_integer,
    tag_word,
)
from straylight.data.files.grey_levels import BeyondNumbersError, linear_share, to_8_bits
from straylight.data.files.window import Window
from straylight.data.value_ranges import STORED, ValueRange

__all__ = ["DicomView", "is_dicom", "read_dicom"]

GREY, PALETTE = ("MONOCHROME1", "MONOCHROME2"), "PALETTE COLOR"
COLOUR = (
    "RGB",
    "YBR_FULL",
    "YBR_FULL_422",
    "YBR_PARTIAL_420",
    "YBR_PARTIAL_422",
    "YBR_ICT",
    "YBR_RCT",
)


@dataclass(frozen=True, kw_only=True)
class DicomView:
    """Display settings for medical images.

    Attributes:
        window: ``CENTRE/WIDTH`` in rescaled units (Hounsfield for CT), which replaces the file's own; also
            for other grey images with more than 8 bits.
        frame: Frame of a multi-frame file, counted from 0 (-1: such files are refused).
    """

    window: str = ""
    frame: int = -1

    def __post_init__(self) -> None:
        self.parse_window()

    def parse_window(self) -> tuple[float, float] | None:
        """Parse the window to centre and width; None if it is empty.

        Raises:
            InputError: If it is not two valid numbers.
        """
        if not self.window:
            return None
        try:
            centre, width = map(float, self.window.split("/"))
        except ValueError:
            centre, width = 0.0, 0.0
        if not (width >= 1 and math.isfinite(centre) and math.isfinite(width)):
            raise InputError(
                "a window is CENTRE/WIDTH with a width of at least 1, such as 40/400, not "
                f"'{quote_text(self.window)}'."
            )
        return centre, width

    def as_window(self) -> Window | None:
        """Return the chosen window, or None."""
        chosen = self.parse_window()
        return None if chosen is None else Window(*chosen)


def read_dicom(data: bytes, view: DicomView, largest: int) -> tuple[Image.Image, ValueRange]:
    """Decode a DICOM file to an 8-bit image, grey or RGB, and return its value range.

    Grey values are converted by `render_greyscale`, palettes and YBR to RGB.

    Args:
        data: The file.
        view: Window and frame.
        largest: Maximum number of pixels of a frame.

    Raises:
        ValueError: If it is not an image, claims too many pixels, has several frames and none was chosen,
            or is compressed in a way that no installed library supports. The reason quotes nothing
            from the file.
    """
    dataset = None
    with _silence_pydicom(), np.errstate(all="ignore"):
        try:
            dataset = open_dicom(data)
            check_pixel_tags(dataset, largest)
            return _decode_frame(dataset, view)
        except (DicomRefusedError, TooCostlyError, BeyondNumbersError, MemoryError) as error:
            raise ValueError(str(error) or "too large") from None
        except InvalidDicomError:
            raise ValueError("not a DICOM file") from None
        except Exception as error:
            # pydicom and its decoders raise many exception types, whose messages may quote the file.
            raise ValueError(_describe_decode_failure(dataset, error)) from None


@contextmanager
def _silence_pydicom() -> Iterator[None]:
    """Disable warnings and logging of pydicom, which would quote the file."""
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The embedded JPEG may claim more pixels than the tags.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        logger.disabled = before


def _decode_frame(dataset: FileDataset, view: DicomView) -> tuple[Image.Image, ValueRange]:
    """Decode one frame."""
    frames = tag_integer(dataset, "NumberOfFrames") or 1
    if frames < 1:
        raise DicomRefusedError("is damaged DICOM (NumberOfFrames)")
    if frames > 1 and view.frame < 0:
        raise DicomRefusedError(f"has {frames} frames: choose one with --reading frame=K")
    if view.frame >= frames > 1:
        raise DicomRefusedError(f"has {frames} frames but not frame {view.frame}")
    frame = max(0, view.frame) if frames > 1 else 0
    kind, bits = (
        tag_word(dataset, "PhotometricInterpretation"),
        required_integer(dataset, "BitsStored"),
    )
    if kind not in (*GREY, PALETTE, *COLOUR):
        raise DicomRefusedError("is damaged DICOM (PhotometricInterpretation)")
    if (required_integer(dataset, "SamplesPerPixel") == 1) == (kind in COLOUR):
        raise DicomRefusedError("is damaged DICOM (SamplesPerPixel)")
    dataset.PhotometricInterpretation = kind
    if kind in COLOUR and tag_integer(dataset, "PlanarConfiguration") is None:
        dataset.PlanarConfiguration = 0
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    values = decode_stored_pixels(dataset, frame, frames, syntax)
    if kind == PALETTE:
        if not syntax.is_little_endian:
            swap_palettes(dataset)
        colours = apply_color_lut(values, dataset)
        return _colours_to_8_bits(colours, 8 * colours.dtype.itemsize)
    if values.ndim == 3:  # pydicom has converted YBR to RGB
        return _colours_to_8_bits(values, bits)
    grey, value_range = render_greyscale(
        values, dataset, frame, view.as_window(), little=syntax.is_little_endian
    )
    return Image.fromarray(grey), value_range


def _colours_to_8_bits(values: NDArray[Any], bits: int) -> tuple[Image.Image, ValueRange]:
    """Convert colours of any depth to 8 bits."""
    value_range = ValueRange(STORED, 0.0, 2.0**bits - 1)
    return Image.fromarray(
        to_8_bits(values, linear_share(value_range.darkest, value_range.lightest))
    ), value_range


def _describe_decode_failure(dataset: FileDataset | None, error: Exception) -> str:
    """Describe why decoding failed, without quoting the file."""
    syntax: Any = None if dataset is None else dataset.file_meta.get("TransferSyntaxUID")
    known = (
        syntax is not None and syntax in AllTransferSyntaxes
    )  # only then does it have a public name
    if known and syntax.is_compressed and isinstance(error, RuntimeError):
        return (
            f"is damaged, or compressed in a way ({syntax.name}) that no installed library supports: "
            "'pip install straylight[dicom]' adds support for more"
        )
    if isinstance(error, EOFError):
        return "is truncated DICOM"
    return f"is damaged DICOM ({type(error).__name__})"
