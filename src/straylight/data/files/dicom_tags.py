"""Read tags of a DICOM file; an empty tag counts as absent."""

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
from straylight.data.files.bounded_stream import BoundedStream

# Python would also accept NaN, 4_0 and digits of other scripts.
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class DicomRefusedError(Exception):
    """A DICOM image that is refused, with a reason that may be shown."""


def tag_value(dataset: Dataset, name: str) -> Any:  # noqa: ANN401
    """Return the value of a tag, or None if it is absent or empty.

    Raises:
        DicomRefusedError: If it cannot be read.
    """
    if name not in dataset:
        return None
    try:
        value = dataset[name].value
    except Exception:  # pydicom raises many exception types
        raise DicomRefusedError(f"has a {name} that cannot be read") from None
    empty = value is None or (hasattr(value, "__len__") and len(value) == 0)
    return None if empty else value


def tag_parts(dataset: Dataset, name: str) -> list[Any]:
    """Return the parts of a multi-valued tag, empty ones as None."""
    value = tag_value(dataset, name)
    parts = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
    return [None if part is None or not str(part).strip(" \0") else part for part in parts]


def tag_numbers(dataset: Dataset, name: str) -> list[float | None]:
    """Return the numbers of a tag, empty ones as None.

    Raises:
        DicomRefusedError: If one is not a number.
    """
    return [_parse_number(part, name) for part in tag_parts(dataset, name)]


def tag_number(dataset: Dataset, name: str) -> float | None:
    """Return the single number of a tag, or None if it is absent or empty.

    Raises:
        DicomRefusedError: If it is anything else.
    """
    numbers = tag_numbers(dataset, name)
    if len(numbers) > 1:
        raise DicomRefusedError(f"has a {name} that is not one number")
    return numbers[0]


def tag_integer(dataset: Dataset, name: str) -> int | None:
    """Return the single whole number of a tag, or None if it is absent or empty.

    Raises:
        DicomRefusedError: If it is anything else.
    """
    numbers = tag_numbers(dataset, name)
    if len(numbers) > 1 or (numbers[0] is not None and numbers[0] != int(numbers[0])):
        raise DicomRefusedError(f"has a {name} that is not one whole number")
    return None if numbers[0] is None else int(numbers[0])


def required_integer(dataset: Dataset, name: str) -> int:
    """Return the whole number of a required tag.

    Raises:
        DicomRefusedError: If it is absent or empty.
    """
    found = tag_integer(dataset, name)
    if found is None:
        raise DicomRefusedError(f"has no {name}")
    return found


def tag_word(dataset: Dataset, name: str) -> str:
    """Return the first word of a tag in upper case, or an empty string."""
    return str(tag_parts(dataset, name)[0] or "").strip(" \0").upper()


def _sequence_items(dataset: Dataset, name: str) -> list[Dataset]:
    """Return the items of a sequence; an empty list if it is absent or empty.

    Raises:
        DicomRefusedError: If it is not a sequence.
    """
    if name not in dataset:
        return []
    raw = dataset.get_item(Tag(name))
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes) and raw.VR in (None, "SQ"):
        # pydicom would read it in any number of steps.
        stream = BoundedStream(raw.value, DICOM_STEPS // 2)
        implicit, little = raw.is_implicit_VR, raw.is_little_endian
        found = read_sequence(stream, implicit, little, len(raw.value), "iso8859")
        dataset.add_new(raw.tag, "SQ", found)
        return list(found)
    found = tag_value(dataset, name)
    if found is None:
        return []
    if not all(isinstance(item, Dataset) for item in found):
        raise DicomRefusedError(f"has a {name} that is not a sequence")
    return list(found)


def first_sequence_item(dataset: Dataset, name: str) -> Dataset | None:
    """Return the first non-empty item of a sequence, or None."""
    return next((item for item in _sequence_items(dataset, name) if len(item)), None)


def datasets_of_frame(dataset: Dataset, frame: int, macro: str) -> Iterator[Dataset]:
    """Yield the data sets with values of a frame: its own group, the shared group, the file.

    Raises:
        DicomRefusedError: If there are per-frame groups, but none for this frame.
    """
    own = _sequence_items(dataset, "PerFrameFunctionalGroupsSequence")
    if own and frame >= len(own):
        raise DicomRefusedError(
            f"has functional groups for {len(own)} frames, but not for frame {frame}"
        )
    for group in (
        *own[frame : frame + 1],
        *_sequence_items(dataset, "SharedFunctionalGroupsSequence"),
    ):
        if (found := first_sequence_item(group, macro)) is not None:
            yield found
    yield dataset


def table_entries(
    dataset: Dataset, name: str, bits: int, n: int, *, little: bool
) -> NDArray[np.intp]:
    """Return the `n` entries of a lookup table, stored as bytes or as numbers.

    Raises:
        DicomRefusedError: If there are fewer.
    """
    value = tag_value(dataset, name)
    if isinstance(value, bytes):
        data = value
    else:
        parts = [_required_number(part, name) for part in tag_parts(dataset, name)]
        data = (np.array(parts).astype(np.int64) & 0xFFFF).astype("<u2").tobytes()
        little = True
    packed = bits <= 8 and n <= len(data) <= n + 1 and n > 1
    entries = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little else ">u2")
    if packed:
        # Two entries are in one word, the first in its lower half.
        entries = np.frombuffer(data if little else _swap_bytes(data), np.uint8)
    if len(entries) < n:
        raise DicomRefusedError(f"has a {name} with fewer entries than stated")
    return entries[:n].astype(np.intp)


def swap_palettes(dataset: Dataset) -> None:
    """Swap the bytes of the palettes of a big-endian file, since pydicom does not."""
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTableData"
        table = tag_value(dataset, name)
        if isinstance(table, bytes):
            setattr(dataset, name, _swap_bytes(table))


def _swap_bytes(data: bytes) -> bytes:
    """Swap the two bytes of each word; omit a trailing single byte."""
    return np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()


def _required_number(part: Any, name: str) -> float:  # noqa: ANN401
    """Parse a number that must not be empty."""
    found = _parse_number(part, name)
    if found is None:
        raise DicomRefusedError(f"has a {name} with an empty entry")
    return found


def _parse_number(part: Any, name: str) -> float | None:  # noqa: ANN401
    """Parse a part of a value as a finite number; None if it is empty."""
    if part is None:
        return None
    text = str(part).strip(" \0")
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise DicomRefusedError(f"has a {name} that is not a number")
    return float(text)
