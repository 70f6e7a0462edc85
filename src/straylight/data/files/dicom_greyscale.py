"""Render grey values of a DICOM frame for display, in the order of PS3.3 C.11 and PS3.4 N.2."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from straylight.data.files.dicom_lookup_table import LookupTable, StoredRange, read_lookup_table
from straylight.data.files.dicom_tags import (
    DicomRefusedError,
    datasets_of_frame,
    required_integer,
    tag_integer,
    tag_number,
    tag_numbers,
    tag_word,
)
from straylight.data.files.grey_levels import (
    Function,
    Limits,
    linear_share,
    to_8_bits,
    value_limits,
)
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


def render_greyscale(
    values: NDArray[Any], dataset: Dataset, frame: int, chosen: Window | None, *, little: bool
) -> tuple[NDArray[np.uint8], ValueRange]:
    """Convert the stored values of a frame to 8-bit grey levels, as a viewer does.

    Applies the modality LUT or rescaling, then the chosen window or the frame's LUT or window, then
    inversion. Without a window, unscaled values of at most 8 bits are used as they are, and others are
    mapped from the minimum to the maximum without padding; padding is then black.

    Raises:
        DicomRefusedError: If a required tag is invalid.
        ValueError: If the values are not finite.
    """
    bits, signed = (
        required_integer(dataset, "BitsStored"),
        bool(required_integer(dataset, "PixelRepresentation")),
    )
    least = -(1 << bits - 1) if signed else 0
    stored = StoredRange(least, least + (1 << bits) - 1, little)
    modality = _modality_transform(dataset, frame, stored)
    inverted = _is_inverted(dataset)
    voi = (
        _voi_transform(dataset, frame, modality, stored)
        if chosen is None
        else _with_own_function(chosen, dataset, frame)
    )
    if isinstance(voi, Window):
        value_range = ValueRange(CHOSEN_WINDOW if chosen else OWN_WINDOW, *voi.limits)
        grey = to_8_bits(values, _compose_functions(modality, voi.share))
        if chosen is None:
            _check_varied(grey, values)
        return _invert_if(grey, inverted), value_range
    if isinstance(voi, LookupTable):
        value_range = ValueRange(OWN_TABLE, 0.0, 2.0**voi.bits - 1)
        share = linear_share(value_range.darkest, value_range.lightest)
        return _invert_if(
            to_8_bits(values, _compose_functions(modality, _compose_functions(voi.look_up, share))),
            inverted,
        ), value_range
    if bits <= 8 and not signed and modality is None:
        value_range = ValueRange(STORED, 0.0, 2.0**bits - 1)
        return _invert_if(
            to_8_bits(values, linear_share(0.0, value_range.lightest)), inverted
        ), value_range
    padding = _padding_limits(dataset, signed)
    limits = value_limits(values, modality or (lambda found: found), padding)
    if limits is None:
        raise DicomRefusedError("has only padding")
    grey = to_8_bits(values, _compose_functions(modality, linear_share(*limits)))
    shown = _invert_if(grey, inverted)
    if padding is not None:
        shown[(values >= padding[0]) & (values <= padding[1])] = 0
    return shown, ValueRange(SPAN, *limits)


def _compose_functions(first: Function | None, then: Function) -> Function:
    """Compose two functions; the first may be None."""
    return then if first is None else lambda values: then(first(values))


def _invert_if(grey: NDArray[np.uint8], inverted: bool) -> NDArray[np.uint8]:
    return 255 - grey if inverted else grey


def _check_varied(grey: NDArray[np.uint8], values: NDArray[Any]) -> None:
    """Raise DicomRefusedError if the window maps a varied image to a single grey level."""
    if grey.min() == grey.max() and values.min() != values.max():
        raise DicomRefusedError(
            "is a single grey level with its own window: choose another (--reading window=)"
        )


def _is_inverted(dataset: Dataset) -> bool:
    """Return whether the lowest value is white."""
    inverse = tag_word(dataset, "PresentationLUTShape") == "INVERSE"
    return tag_word(dataset, "PhotometricInterpretation") == INVERTED or inverse


def _modality_transform(dataset: Dataset, frame: int, stored: StoredRange) -> Function | None:
    """Return the function that rescales stored values, or None if they are unscaled."""
    for level in datasets_of_frame(dataset, frame, "PixelValueTransformationSequence"):
        if (
            table := read_lookup_table(level, "ModalityLUTSequence", stored, stored.least < 0)
        ) is not None:
            return table.look_up
        slope, intercept = tag_number(level, "RescaleSlope"), tag_number(level, "RescaleIntercept")
        if slope is not None or intercept is not None:
            # A slope of 0 would map all values to one.
            return _linear_rescaling(slope or 1.0, intercept or 0.0)
    return None


def _linear_rescaling(slope: float, intercept: float) -> Function | None:
    """Return a linear rescaling, or None if it is the identity."""
    return None if (slope, intercept) == (1.0, 0.0) else lambda values: values * slope + intercept


def _voi_transform(
    dataset: Dataset, frame: int, modality: Function | None, stored: StoredRange
) -> Window | LookupTable | None:
    """Return the first usable lookup table or window of a frame, or None."""
    ends = np.array([stored.least, stored.greatest], np.float64)
    signed = bool(((ends if modality is None else modality(ends)) < 0).any())
    for level in datasets_of_frame(dataset, frame, "FrameVOILUTSequence"):
        if (table := read_lookup_table(level, "VOILUTSequence", stored, signed)) is not None:
            return table
        pairs = zip(
            tag_numbers(level, "WindowCenter"), tag_numbers(level, "WindowWidth"), strict=False
        )
        for centre, width in pairs:
            if centre is None or width is None or width <= 0:
                continue
            if (window := Window(centre, width, _window_function(level))).is_valid:
                return window
    return None


def _with_own_function(chosen: Window, dataset: Dataset, frame: int) -> Window:
    """Return a chosen window with the VOI LUT function of the frame."""
    levels = datasets_of_frame(dataset, frame, "FrameVOILUTSequence")
    first = next((level for level in levels if tag_word(level, "VOILUTFunction")), dataset)
    return Window(chosen.centre, chosen.width, _window_function(first))


def _window_function(level: Dataset) -> str:
    """Return the VOI LUT function of a data set."""
    function = tag_word(level, "VOILUTFunction") or LINEAR
    if function not in FUNCTIONS:
        raise DicomRefusedError(f"has a VOILUTFunction that is not one of {', '.join(FUNCTIONS)}")
    return function


def _padding_limits(dataset: Dataset, signed: bool) -> Limits | None:
    """Return the range of stored values that are padding, or None."""
    value = tag_integer(dataset, "PixelPaddingValue")
    if value is None:
        return None
    limit = tag_integer(dataset, "PixelPaddingRangeLimit")
    ends = sorted(
        _wrap_to_stored(n, dataset, signed) for n in (value, value if limit is None else limit)
    )
    return float(ends[0]), float(ends[1])


def _wrap_to_stored(number: int, dataset: Dataset, signed: bool) -> int:
    """Convert a number to the sign of the pixels, if its tag was written with the other."""
    bits = required_integer(dataset, "BitsStored")
    number &= (1 << bits) - 1
    return number - (1 << bits) if signed and number >> (bits - 1) else number
