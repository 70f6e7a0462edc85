"""Grey values of a DICOM frame on their way to the screen, in the order of PS3.3 C.11 and PS3.4 N.2."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from straylight.data.files.dicom_tags import (
    Refused,
    integers_of,
    item_of,
    levels_of,
    needed,
    number_of,
    numbers_of,
    parts_of,
    value_of,
    whole_of,
    word_of,
)
from straylight.data.files.grey_levels import Function, Limits, extremes, spread, to_8_bits
from straylight.data.files.window import FUNCTIONS, LINEAR, Window
from straylight.data.value_ranges import (
    CHOSEN_WINDOW,
    OWN_TABLE,
    OWN_WINDOW,
    SPAN,
    STORED,
    ValueRange,
)

INVERTED = "MONOCHROME1"


@dataclass(frozen=True, eq=False)
class Table:
    """A look-up table.

    Attributes:
        first: The value that the first entry is for; below it, that entry counts, beyond the end the last.
        entries: What values become.
        bits: Of the entries.
    """

    first: int
    entries: NDArray[np.intp]
    bits: int

    def look_up(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        places = np.rint(values.clip(self.first, self.first + len(self.entries) - 1)) - self.first
        found: NDArray[np.float64] = self.entries[places.astype(np.intp)].astype(np.float64)
        return found


@dataclass(frozen=True)
class Stored:
    """The values that a pixel can have before any table.

    Attributes:
        least, greatest: By the bits that are stored, and by their sign.
        little: Whether the file is little-endian.
    """

    least: int
    greatest: int
    little: bool


def grey_of(
    values: NDArray[Any], dataset: Dataset, frame: int, chosen: Window | None, *, little: bool
) -> tuple[NDArray[np.uint8], ValueRange]:
    """Bring the stored values of a frame to what a viewer shows.

    Modality LUT or rescaling; the chosen window, or the frame's table or window; inversion. Without any
    window, values of at most 8 bits that are not rescaled are taken as they are, and others from the
    least to the greatest that is no padding; padding is then black.

    Raises:
        Refused: If a tag that is needed holds something else.
        ValueError: If the values are beyond all numbers.
    """
    bits, signed = needed(dataset, "BitsStored"), bool(needed(dataset, "PixelRepresentation"))
    least = -(1 << bits - 1) if signed else 0
    stored = Stored(least, least + (1 << bits) - 1, little)
    modality = _modality_of(dataset, frame, stored)
    inverted = _is_inverted(dataset)
    voi = (
        _voi_of(dataset, frame, modality, stored)
        if chosen is None
        else _as_own(chosen, dataset, frame)
    )
    if isinstance(voi, Window):
        told = ValueRange(CHOSEN_WINDOW if chosen else OWN_WINDOW, *voi.limits)
        grey = to_8_bits(values, _after(modality, voi.share))
        if chosen is None:
            _check_varied(grey, values)
        return _shown(grey, inverted), told
    if isinstance(voi, Table):
        told = ValueRange(OWN_TABLE, 0.0, 2.0**voi.bits - 1)
        share = spread(told.darkest, told.lightest)
        return _shown(
            to_8_bits(values, _after(modality, _after(voi.look_up, share))), inverted
        ), told
    if bits <= 8 and not signed and modality is None:
        told = ValueRange(STORED, 0.0, 2.0**bits - 1)
        return _shown(to_8_bits(values, spread(0.0, told.lightest)), inverted), told
    padding = _padding_of(dataset, signed)
    limits = extremes(values, modality or (lambda found: found), padding)
    if limits is None:
        raise Refused("holds nothing but padding")
    grey = to_8_bits(values, _after(modality, spread(*limits)))
    shown = _shown(grey, inverted)
    if padding is not None:
        shown[(values >= padding[0]) & (values <= padding[1])] = 0
    return shown, ValueRange(SPAN, *limits)


def _after(first: Function | None, then: Function) -> Function:
    """Return one function after another."""
    return then if first is None else lambda values: then(first(values))


def _shown(grey: NDArray[np.uint8], inverted: bool) -> NDArray[np.uint8]:
    return 255 - grey if inverted else grey


def _check_varied(grey: NDArray[np.uint8], values: NDArray[Any]) -> None:
    """Raise `Refused` if nothing is left of an image that shows something."""
    if grey.min() == grey.max() and values.min() != values.max():
        raise Refused("is one grey level through its own window: choose one (--reading window=)")


def _is_inverted(dataset: Dataset) -> bool:
    """Return whether the least value is white."""
    inverse = word_of(dataset, "PresentationLUTShape") == "INVERSE"
    return word_of(dataset, "PhotometricInterpretation") == INVERTED or inverse


def _modality_of(dataset: Dataset, frame: int, stored: Stored) -> Function | None:
    """Return what rescales stored values, or None where they stay as they are."""
    for level in levels_of(dataset, frame, "PixelValueTransformationSequence"):
        if (table := _table_of(level, "ModalityLUTSequence", stored, stored.least < 0)) is not None:
            return table.look_up
        slope, intercept = number_of(level, "RescaleSlope"), number_of(level, "RescaleIntercept")
        if slope is not None or intercept is not None:
            # A slope of 0 would leave one value of all.
            return _line(slope or 1.0, intercept or 0.0)
    return None


def _line(slope: float, intercept: float) -> Function | None:
    """Return a rescaling, or None where it changes nothing."""
    return None if (slope, intercept) == (1.0, 0.0) else lambda values: values * slope + intercept


def _voi_of(
    dataset: Dataset, frame: int, modality: Function | None, stored: Stored
) -> Window | Table | None:
    """Return the first table or window of a frame, or None where there is none that can be used."""
    ends = np.array([stored.least, stored.greatest], np.float64)
    signed = bool(((ends if modality is None else modality(ends)) < 0).any())
    for level in levels_of(dataset, frame, "FrameVOILUTSequence"):
        if (table := _table_of(level, "VOILUTSequence", stored, signed)) is not None:
            return table
        pairs = zip(
            numbers_of(level, "WindowCenter"), numbers_of(level, "WindowWidth"), strict=False
        )
        for centre, width in pairs:
            if centre is None or width is None or width <= 0:
                continue
            if (window := Window(centre, width, _function_of(level))).usable:
                return window
    return None


def _as_own(chosen: Window, dataset: Dataset, frame: int) -> Window:
    """Return a chosen window with the function that a frame's own has."""
    levels = levels_of(dataset, frame, "FrameVOILUTSequence")
    first = next((level for level in levels if word_of(level, "VOILUTFunction")), dataset)
    return Window(chosen.centre, chosen.width, _function_of(first))


def _function_of(level: Dataset) -> str:
    """Return the function of a window."""
    function = word_of(level, "VOILUTFunction") or LINEAR
    if function not in FUNCTIONS:
        raise Refused(f"has a VOILUTFunction that is none of {', '.join(FUNCTIONS)}")
    return function


def _table_of(level: Dataset, name: str, stored: Stored, signed: bool) -> Table | None:
    """Return the first table of a sequence, or None where it holds none."""
    item = item_of(level, name)
    if item is None:
        return None
    told, data = value_of(item, "LUTDescriptor"), value_of(item, "LUTData")
    if told is None and data is None:
        return None
    descriptor = _descriptor(item, stored.little)
    if len(descriptor) != 3 or data is None:
        raise Refused(f"has a {name} without a table")
    n, first, bits = descriptor[0] & 0xFFFF or 2**16, descriptor[1] & 0xFFFF, descriptor[2]
    if not 1 <= bits <= 16:
        raise Refused(f"has a table of {bits} bits")
    first -= 2**16 if signed and first >= 2**15 else 0
    return Table(first, integers_of(item, "LUTData", bits, n, little=stored.little), bits)


def _descriptor(item: Dataset, little: bool) -> list[int]:
    """Return the numbers of a table's descriptor, whichever way they are stored."""
    value = value_of(item, "LUTDescriptor")
    if isinstance(value, bytes):
        return [
            int(n) for n in np.frombuffer(value[: len(value) // 2 * 2], "<u2" if little else ">u2")
        ]
    if any(part is None for part in parts_of(item, "LUTDescriptor")):
        raise Refused("has a table without a descriptor")
    return [int(n or 0) for n in numbers_of(item, "LUTDescriptor")]


def _padding_of(dataset: Dataset, signed: bool) -> Limits | None:
    """Return the stored values that are padding, from one to another."""
    value = whole_of(dataset, "PixelPaddingValue")
    if value is None:
        return None
    limit = whole_of(dataset, "PixelPaddingRangeLimit")
    ends = sorted(
        _as_stored(n, dataset, signed) for n in (value, value if limit is None else limit)
    )
    return float(ends[0]), float(ends[1])


def _as_stored(number: int, dataset: Dataset, signed: bool) -> int:
    """Return a number as the pixels have it, if its tag was written with another sign."""
    bits = needed(dataset, "BitsStored")
    number &= (1 << bits) - 1
    return number - (1 << bits) if signed and number >> (bits - 1) else number
