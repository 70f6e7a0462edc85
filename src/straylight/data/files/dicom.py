"""DICOM files as pictures: what a viewer would show, and nothing of who is shown."""

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

from straylight.core.errors import InputError, quoted
from straylight.data.files.bounded_stream import TooCostlyError
from straylight.data.files.dicom_file import is_dicom, open_dicom
from straylight.data.files.dicom_greyscale import grey_of
from straylight.data.files.dicom_pixels import check_pixels, stored_pixels
from straylight.data.files.dicom_tags import Refused, needed, swap_palettes, whole_of, word_of
from straylight.data.files.grey_levels import BeyondNumbersError, spread, to_8_bits
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
    """How medical images are shown.

    Attributes:
        window: ``CENTRE/WIDTH``, in the units of the rescaled values (Hounsfield for CT), in the place of
            the file's own; also for other grey images of more than 8 bits.
        frame: Of files with many, counted from 0 (-1: they are refused).
    """

    window: str = ""
    frame: int = -1

    def __post_init__(self) -> None:
        self.chosen()

    def chosen(self) -> tuple[float, float] | None:
        """Return centre and width, if they were given.

        Raises:
            InputError: If they are no two numbers.
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
                f"'{quoted(self.window)}'."
            )
        return centre, width

    def as_window(self) -> Window | None:
        """Return the window, if one was given."""
        chosen = self.chosen()
        return None if chosen is None else Window(*chosen)


def read_dicom(data: bytes, view: DicomView, largest: int) -> tuple[Image.Image, ValueRange]:
    """Decode a DICOM file to an 8-bit picture, grey or RGB, and say which values became black and white.

    Grey values go through `grey_of`. Palettes and YBR become RGB.

    Args:
        data: The file.
        view: Window and frame.
        largest: Pixels that a frame may claim.

    Raises:
        ValueError: If it is no picture, claims too many pixels, has several frames and none was chosen,
            or is compressed in a way that no installed library reads. The reason quotes nothing of
            the file.
    """
    dataset = None
    with _silenced(), np.errstate(all="ignore"):
        try:
            dataset = open_dicom(data)
            check_pixels(dataset, largest)
            return _picture(dataset, view)
        except (Refused, TooCostlyError, BeyondNumbersError, MemoryError) as error:
            raise ValueError(str(error) or "too large") from None
        except InvalidDicomError:
            raise ValueError("no DICOM file") from None
        except Exception as error:
            # pydicom and its decoders raise many kinds, whose texts may quote the file.
            raise ValueError(_failure_of(dataset, error)) from None


@contextmanager
def _silenced() -> Iterator[None]:
    """Let pydicom neither warn nor log: it would quote the file."""
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The JPEG inside may claim more than the tags.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        logger.disabled = before


def _picture(dataset: FileDataset, view: DicomView) -> tuple[Image.Image, ValueRange]:
    """Decode one frame."""
    frames = whole_of(dataset, "NumberOfFrames") or 1
    if frames < 1:
        raise Refused("is broken DICOM (NumberOfFrames)")
    if frames > 1 and view.frame < 0:
        raise Refused(f"has {frames} frames: choose one with --reading frame=K")
    if view.frame >= frames > 1:
        raise Refused(f"has {frames} frames, none of the number {view.frame}")
    frame = max(0, view.frame) if frames > 1 else 0
    kind, bits = word_of(dataset, "PhotometricInterpretation"), needed(dataset, "BitsStored")
    if kind not in (*GREY, PALETTE, *COLOUR):
        raise Refused("is broken DICOM (PhotometricInterpretation)")
    if (needed(dataset, "SamplesPerPixel") == 1) == (kind in COLOUR):
        raise Refused("is broken DICOM (SamplesPerPixel)")
    dataset.PhotometricInterpretation = kind
    if kind in COLOUR and whole_of(dataset, "PlanarConfiguration") is None:
        dataset.PlanarConfiguration = 0
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    values = stored_pixels(dataset, frame, frames, syntax)
    if kind == PALETTE:
        if not syntax.is_little_endian:
            swap_palettes(dataset)
        colours = apply_color_lut(values, dataset)
        return _colour(colours, 8 * colours.dtype.itemsize)
    if values.ndim == 3:  # pydicom has made YBR to RGB
        return _colour(values, bits)
    grey, told = grey_of(values, dataset, frame, view.as_window(), little=syntax.is_little_endian)
    return Image.fromarray(grey), told


def _colour(values: NDArray[Any], bits: int) -> tuple[Image.Image, ValueRange]:
    """Bring colours of any depth to 8 bits."""
    told = ValueRange(STORED, 0.0, 2.0**bits - 1)
    return Image.fromarray(to_8_bits(values, spread(told.darkest, told.lightest))), told


def _failure_of(dataset: FileDataset | None, error: Exception) -> str:
    """Say why decoding failed, without a word of the file."""
    syntax: Any = None if dataset is None else dataset.file_meta.get("TransferSyntaxUID")
    known = syntax is not None and syntax in AllTransferSyntaxes  # only then it has a public name
    if known and syntax.is_compressed and isinstance(error, RuntimeError):
        return (
            f"is broken, or compressed in a way ({syntax.name}) that nothing installed here reads: "
            "'pip install straylight[dicom]' reads more of them"
        )
    if isinstance(error, EOFError):
        return "is DICOM that is cut short"
    return f"is broken DICOM ({type(error).__name__})"
