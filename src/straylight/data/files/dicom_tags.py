"""Tags of a DICOM file: one that is present but empty counts as absent."""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_sequence
from pydicom.tag import Tag

from straylight.core.limits import DICOM_STEPS
from straylight.data.files.bounded_stream import Bounded

# Python would also take NaN, 4_0, and the digits of other scripts.
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Refused(Exception):  # noqa: N818
    """A picture that is not read, for a reason of ours."""


def value_of(dataset: Dataset, name: str) -> Any:  # noqa: ANN401
    """Return the value of a tag, or None where it is absent or empty.

    Raises:
        Refused: If it cannot be read.
    """
    if name not in dataset:
        return None
    try:
        value = dataset[name].value
    except Exception:  # pydicom raises many kinds
        raise Refused(f"has a {name} that cannot be read") from None
    empty = value is None or (hasattr(value, "__len__") and len(value) == 0)
    return None if empty else value


def parts_of(dataset: Dataset, name: str) -> list[Any]:
    """Return the parts of a value, those that are empty as None."""
    value = value_of(dataset, name)
    parts = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
    return [None if part is None or not str(part).strip(" \0") else part for part in parts]


def numbers_of(dataset: Dataset, name: str) -> list[float | None]:
    """Return the numbers of a tag, those that are empty as None.

    Raises:
        Refused: If one is not a number.
    """
    return [_number(part, name) for part in parts_of(dataset, name)]


def number_of(dataset: Dataset, name: str) -> float | None:
    """Return the one number of a tag, or None where it is absent or empty.

    Raises:
        Refused: If it is anything else.
    """
    numbers = numbers_of(dataset, name)
    if len(numbers) > 1:
        raise Refused(f"has a {name} that is not one number")
    return numbers[0]


def whole_of(dataset: Dataset, name: str) -> int | None:
    """Return the one whole number of a tag, or None where it is absent or empty.

    Raises:
        Refused: If it is anything else.
    """
    numbers = numbers_of(dataset, name)
    if len(numbers) > 1 or (numbers[0] is not None and numbers[0] != int(numbers[0])):
        raise Refused(f"has a {name} that is not one whole number")
    return None if numbers[0] is None else int(numbers[0])


def needed(dataset: Dataset, name: str) -> int:
    """Return the whole number of a tag that must be there.

    Raises:
        Refused: If it is not.
    """
    found = whole_of(dataset, name)
    if found is None:
        raise Refused(f"has no {name}")
    return found


def word_of(dataset: Dataset, name: str) -> str:
    """Return the first word of a tag, in upper case, or nothing."""
    return str(parts_of(dataset, name)[0] or "").strip(" \0").upper()


def items_of(dataset: Dataset, name: str) -> list[Dataset]:
    """Return the items of a sequence, none where it is absent or empty.

    Raises:
        Refused: If it is not a sequence.
    """
    if name not in dataset:
        return []
    raw = dataset.get_item(Tag(name))
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes) and raw.VR in (None, "SQ"):
        # pydicom would read it in as many steps as it likes.
        stream = Bounded(raw.value, DICOM_STEPS // 2)
        implicit, little = raw.is_implicit_VR, raw.is_little_endian
        found = read_sequence(stream, implicit, little, len(raw.value), "iso8859")
        dataset.add_new(raw.tag, "SQ", found)
        return list(found)
    found = value_of(dataset, name)
    if found is None:
        return []
    if not all(isinstance(item, Dataset) for item in found):
        raise Refused(f"has a {name} that is not a sequence")
    return list(found)


def item_of(dataset: Dataset, name: str) -> Dataset | None:
    """Return the first item of a sequence that holds anything."""
    return next((item for item in items_of(dataset, name) if len(item)), None)


def levels_of(dataset: Dataset, frame: int, macro: str) -> Iterator[Dataset]:
    """Yield where the values of a frame stand: its own group, the one that all share, the file.

    Raises:
        Refused: If there are groups, and none for this frame.
    """
    own = items_of(dataset, "PerFrameFunctionalGroupsSequence")
    if own and frame >= len(own):
        raise Refused(f"has functional groups for {len(own)} frames, none for the frame {frame}")
    for group in (*own[frame : frame + 1], *items_of(dataset, "SharedFunctionalGroupsSequence")):
        if (found := item_of(group, macro)) is not None:
            yield found
    yield dataset


def integers_of(
    dataset: Dataset, name: str, bits: int, n: int, *, little: bool
) -> NDArray[np.intp]:
    """Return the `n` entries of a table, whichever way they are stored.

    Raises:
        Refused: If there are fewer.
    """
    value = value_of(dataset, name)
    if isinstance(value, bytes):
        data = value
    else:
        parts = [needed_number(part, name) for part in parts_of(dataset, name)]
        data = (np.array(parts).astype(np.int64) & 0xFFFF).astype("<u2").tobytes()
        little = True
    packed = bits <= 8 and n <= len(data) <= n + 1 and n > 1
    entries = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little else ">u2")
    if packed:
        # Two entries are one word, the first of them its lower half.
        entries = np.frombuffer(data if little else _swapped(data), np.uint8)
    if len(entries) < n:
        raise Refused(f"has a {name} of fewer entries than it says")
    return entries[:n].astype(np.intp)


def swap_palettes(dataset: Dataset) -> None:
    """Turn the palettes of a big-endian file over: pydicom takes their words as they lie there."""
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTableData"
        table = value_of(dataset, name)
        if isinstance(table, bytes):
            setattr(dataset, name, _swapped(table))


def _swapped(data: bytes) -> bytes:
    """Return words with their two bytes swapped; a byte behind them is left out."""
    return np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()


def needed_number(part: Any, name: str) -> float:  # noqa: ANN401
    """Return a number that is there."""
    found = _number(part, name)
    if found is None:
        raise Refused(f"has a {name} with an empty entry")
    return found


def _number(part: Any, name: str) -> float | None:  # noqa: ANN401
    """Return a part of a value as a number that can be computed with."""
    if part is None:
        return None
    text = str(part).strip(" \0")
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise Refused(f"has a {name} that is not a number")
    return float(text)
