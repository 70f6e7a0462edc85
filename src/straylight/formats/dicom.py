"""DICOM files as pictures: what a viewer would show, and nothing of who is shown."""

import io
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
from pydicom import Dataset, FileDataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import AllTransferSyntaxes

from straylight.errors import InputError, quoted
from straylight.formats.deflated import MAGIC, PREAMBLE, inflates_too_far
from straylight.limits import RATIO

INVERSE = "INVERSE"
# No other tag is ever read: a picture has no name, no date of birth and no hospital.
TAGS = [
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleIntercept", "RescaleSlope", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "PresentationLUTShape"),
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue")),
    *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData"),
]


@dataclass(frozen=True, kw_only=True)
class DicomView:
    """How DICOM files are shown.

    Attributes:
        window: ``CENTRE/WIDTH``, in the units of the rescaled values (Hounsfield for CT), in the place of
            the file's own.
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


def is_dicom(head: bytes) -> bool:
    """Tell a DICOM file by its first 132 bytes."""
    return head[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC


def read_dicom(data: bytes, view: DicomView, largest: int) -> Image.Image:
    """Decode a DICOM file to an 8-bit picture, grey or RGB.

    Grey values go through the modality LUT (rescale slope and intercept), the VOI LUT or window (the
    first of the file's, or the chosen one; PS3.3 C.11.2), are inverted if MONOCHROME1 says so, and are
    spread over 0..255. Without a window, 8-bit values that are not rescaled are taken as they are, and
    others from the least to the greatest of the image. Palettes and YBR become RGB.

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
    with silenced():
        try:
            if inflates_too_far(data):
                raise Refused(f"unpacks to more than {RATIO} times its size")
            dataset = dcmread(io.BytesIO(data), specific_tags=TAGS)
            check_size(dataset, largest)
            return picture(dataset, view)
        except (Refused, MemoryError) as error:
            raise ValueError(str(error) or "too large") from None
        except InvalidDicomError:
            raise ValueError("no DICOM file") from None
        except Exception as error:
            # pydicom and its decoders raise many kinds, whose texts may quote the file.
            raise ValueError(failure_of(dataset, error)) from None


@contextmanager
def silenced() -> Iterator[None]:
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


class Refused(Exception):  # noqa: N818
    """A picture that is not read, for a reason of ours."""


def check_size(dataset: Dataset, largest: int) -> None:
    """See that there is a picture, of a size that can be decoded."""
    if "PixelData" not in dataset:
        raise Refused("a DICOM file without pixel data")
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if not 0 < rows * columns <= largest:
        raise Refused(f"claims {rows} x {columns} pixels, which is none or too many")


def picture(dataset: Dataset, view: DicomView) -> Image.Image:
    """Decode one frame."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1 and view.frame < 0:
        raise Refused(f"has {frames} frames: choose one with --reading frame=K")
    if view.frame >= frames > 1:
        raise Refused(f"has {frames} frames, none of the number {view.frame}")
    values = pixel_array(dataset, index=max(0, view.frame) if frames > 1 else 0)
    kind = str(dataset.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        bits = 8 * values.dtype.itemsize
        return Image.fromarray(to_8_bits(values, 0.0, 2.0**bits - 1))
    if values.ndim == 3:  # pydicom has made YBR to RGB
        return Image.fromarray(to_8_bits(values, 0.0, 2.0 ** int(dataset.BitsStored) - 1))
    grey = displayed(values, dataset, view)
    inverted = kind == "MONOCHROME1" or dataset.get("PresentationLUTShape") == INVERSE
    return Image.fromarray(255 - grey if inverted else grey)


def displayed(values: NDArray[Any], dataset: Dataset, view: DicomView) -> NDArray[np.uint8]:
    """Bring grey values to 0..255 as a viewer does."""
    rescaled = apply_modality_lut(values, dataset)
    if window := view.chosen():
        dataset.WindowCenter, dataset.WindowWidth = window
        dataset.pop("VOILUTSequence", None)
    if "VOILUTSequence" in dataset:
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        if not 1 <= bits <= 16:
            raise Refused(f"has a table of {bits} bits")
        return to_8_bits(apply_voi_lut(rescaled, dataset, prefer_lut=True), 0.0, 2.0**bits - 1)
    if "WindowWidth" in dataset:
        # Two values beyond all others say what the window makes darkest and lightest.
        beyond = np.append(rescaled.ravel().astype(np.float64), [-1e9, 1e9])
        shown = apply_voi_lut(beyond, dataset)
        return to_8_bits(shown[:-2].reshape(values.shape), float(shown[-2]), float(shown[-1]))
    plain = values.dtype == np.uint8 and np.array_equal(rescaled, values)
    darkest, lightest = (0.0, 255.0) if plain else (float(rescaled.min()), float(rescaled.max()))
    return to_8_bits(rescaled, darkest, lightest)


def to_8_bits(values: NDArray[Any], darkest: float, lightest: float) -> NDArray[np.uint8]:
    """Spread values from the darkest to the lightest over 0..255."""
    if not math.isfinite(lightest - darkest):
        raise Refused("has a window or a rescaling beyond all numbers")
    shares = (values.astype(np.float64) - darkest) / max(lightest - darkest, 1e-12)
    rounded: NDArray[np.uint8] = np.round(255 * shares.clip(0, 1)).astype(np.uint8)
    return rounded


def failure_of(dataset: FileDataset | None, error: Exception) -> str:
    """Say why decoding failed, without a word of the file."""
    syntax: Any = None if dataset is None else dataset.file_meta.get("TransferSyntaxUID")
    known = syntax is not None and syntax in AllTransferSyntaxes  # only then it has a public name
    if not known or not syntax.is_compressed or not isinstance(error, RuntimeError):
        return f"is broken DICOM ({type(error).__name__})"
    return (
        f"is broken, or compressed in a way ({syntax.name}) that nothing installed here reads: "
        "'pip install straylight[dicom]' reads more of them"
    )
