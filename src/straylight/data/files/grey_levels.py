"""Grey values of any depth brought to 8 bits, at little memory."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from straylight.data.files.window import Window
from straylight.data.value_ranges import CHOSEN_WINDOW, SPAN, ValueRange

BLOCK = 2**20  # values that are converted at a time
TABLE = 2**16  # values that two bytes can have
Values = NDArray[Any]
Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Limits = tuple[float, float]


class BeyondNumbersError(ValueError):
    """Values that nothing can be computed with."""

    def __init__(self) -> None:
        super().__init__("has values or a rescaling beyond all numbers")


def to_8_bits(values: Values, share: Function) -> NDArray[np.uint8]:
    """Return 255 times the share of white of each value, rounded.

    Args:
        values: Of any shape.
        share: Of white, for values; what lies outside [0, 1] is clipped.

    Raises:
        BeyondNumbersError: If a share is not a number.
    """
    if values.dtype.itemsize <= 2 and values.size > TABLE and values.dtype.kind in "iu":
        info = np.iinfo(values.dtype)
        table = _levels(np.arange(info.min, info.max + 1), share)
        parts = [table[part.astype(np.intp) - info.min] for part in _blocks(values)]
    else:
        parts = [_levels(part, share) for part in _blocks(values)]
    return np.concatenate(parts).reshape(values.shape)


def spread(darkest: float, lightest: float) -> Function:
    """Return the share of white of values between two; that of one value is 0.

    Raises:
        BeyondNumbersError: If they are not numbers.
    """
    if not math.isfinite(lightest - darkest):
        raise BeyondNumbersError
    width = lightest - darkest or 1.0
    return lambda values: (values - darkest) / width


def extremes(values: Values, convert: Function, left_out: Limits | None = None) -> Limits | None:
    """Return the least and the greatest converted value, or None where all are left out.

    Args:
        values: Stored values.
        convert: Of stored values.
        left_out: The stored values from one to another, both included.
    """
    least, greatest = math.inf, -math.inf
    for part in _distinct(values):
        kept = part if left_out is None else part[(part < left_out[0]) | (part > left_out[1])]
        if kept.size:
            converted = convert(kept.astype(np.float64))
            if np.isnan(converted).any():
                raise BeyondNumbersError
            least = min(least, float(converted.min()))
            greatest = max(greatest, float(converted.max()))
    return None if least > greatest else (least, greatest)


def grey_levels(values: Values, window: Window | None) -> tuple[NDArray[np.uint8], ValueRange]:
    """Bring plain grey values of more than 8 bits to 8: through a window, or from least to greatest.

    Raises:
        BeyondNumbersError: If the values are beyond all numbers.
    """
    if window is not None:
        return to_8_bits(values, window.share), ValueRange(CHOSEN_WINDOW, *window.limits)
    limits = extremes(values, lambda found: found) or (0.0, 0.0)
    return to_8_bits(values, spread(*limits)), ValueRange(SPAN, *limits)


def _levels(values: Values, share: Function) -> NDArray[np.uint8]:
    """Convert one block."""
    with np.errstate(all="ignore"):
        shares = share(values.astype(np.float64))
    if np.isnan(shares).any():
        raise BeyondNumbersError
    rounded: NDArray[np.uint8] = np.round(255 * shares.clip(0, 1)).astype(np.uint8)
    return rounded


def _blocks(values: Values) -> Iterator[Values]:
    """Yield all values in order."""
    flat = values.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        yield flat[start : start + BLOCK]


def _distinct(values: Values) -> Iterator[Values]:
    """Yield all values that occur, those of two bytes once."""
    if values.dtype.itemsize > 2 or values.dtype.kind not in "iu":
        yield from _blocks(values)
        return
    info = np.iinfo(values.dtype)
    seen = np.zeros(info.max - info.min + 1, np.bool_)
    for part in _blocks(values):
        seen[part.astype(np.intp) - info.min] = True
    yield seen.nonzero()[0] + info.min
