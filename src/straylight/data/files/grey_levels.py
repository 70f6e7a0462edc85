"""Convert grey values of any depth to 8 bits, with little memory."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from straylight.data.files.window import Window
from straylight.data.value_ranges import CHOSEN_WINDOW, SPAN, ValueRange

BLOCK = 2**20  # values that are converted at a time
TABLE = 2**16  # number of values of two bytes
Values = NDArray[Any]
Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Limits = tuple[float, float]


class BeyondNumbersError(ValueError):
    """Values that are not finite numbers."""

    def __init__(self) -> None:
        super().__init__("has values or a rescaling beyond the range of numbers")


def to_8_bits(values: Values, share: Function) -> NDArray[np.uint8]:
    """Convert values to 255 times their share of white, rounded.

    Args:
        values: An array of any shape.
        share: Function from values to shares of white, which are clipped to [0, 1].

    Raises:
        BeyondNumbersError: If a share is not a number.
    """
    if values.dtype.itemsize <= 2 and values.size > TABLE and values.dtype.kind in "iu":
        info = np.iinfo(values.dtype)
        table = _convert_block(np.arange(info.min, info.max + 1), share)
        parts = [table[part.astype(np.intp) - info.min] for part in _iterate_blocks(values)]
    else:
        parts = [_convert_block(part, share) for part in _iterate_blocks(values)]
    return np.concatenate(parts).reshape(values.shape)


def linear_share(darkest: float, lightest: float) -> Function:
    """Return a function from values to shares of white: linear from `darkest` to `lightest`.

    Raises:
        BeyondNumbersError: If a limit is not finite.
    """
    if not math.isfinite(lightest - darkest):
        raise BeyondNumbersError
    width = lightest - darkest or 1.0
    return lambda values: (values - darkest) / width


def value_limits(
    values: Values, convert: Function, excluded: Limits | None = None
) -> Limits | None:
    """Return the minimum and maximum of converted values, or None if all are excluded.

    Args:
        values: Stored values.
        convert: Conversion of stored values.
        excluded: Range of stored values to exclude, including both ends.
    """
    least, greatest = math.inf, -math.inf
    for part in _distinct_values(values):
        kept = part if excluded is None else part[(part < excluded[0]) | (part > excluded[1])]
        if kept.size:
            converted = convert(kept.astype(np.float64))
            if np.isnan(converted).any():
                raise BeyondNumbersError
            least = min(least, float(converted.min()))
            greatest = max(greatest, float(converted.max()))
    return None if least > greatest else (least, greatest)


def grey_to_8_bits(values: Values, window: Window | None) -> tuple[NDArray[np.uint8], ValueRange]:
    """Convert grey values to 8 bits: with a window, or from minimum to maximum.

    Raises:
        BeyondNumbersError: If the values are not finite.
    """
    if window is not None:
        return to_8_bits(values, window.share), ValueRange(CHOSEN_WINDOW, *window.limits)
    limits = value_limits(values, lambda found: found) or (0.0, 0.0)
    return to_8_bits(values, linear_share(*limits)), ValueRange(SPAN, *limits)


def _convert_block(values: Values, share: Function) -> NDArray[np.uint8]:
    """Convert one block."""
    with np.errstate(all="ignore"):
        shares = share(values.astype(np.float64))
    if np.isnan(shares).any():
        raise BeyondNumbersError
    rounded: NDArray[np.uint8] = np.round(255 * shares.clip(0, 1)).astype(np.uint8)
    return rounded


def _iterate_blocks(values: Values) -> Iterator[Values]:
    """Yield all values in order, in blocks."""
    flat = values.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        yield flat[start : start + BLOCK]


def _distinct_values(values: Values) -> Iterator[Values]:
    """Yield all values that occur; values of at most two bytes only once."""
    if values.dtype.itemsize > 2 or values.dtype.kind not in "iu":
        yield from _iterate_blocks(values)
        return
    info = np.iinfo(values.dtype)
    seen = np.zeros(info.max - info.min + 1, np.bool_)
    for part in _iterate_blocks(values):
        seen[part.astype(np.intp) - info.min] = True
    yield seen.nonzero()[0] + info.min
