"""Lookup tables (LUT) of DICOM files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from straylight.data.files.dicom_tags import (
    DicomRefusedError,
    first_sequence_item,
    table_entries,
    tag_numbers,
    tag_parts,
    tag_value,
)


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A lookup table (LUT).

    Attributes:
        first: The input value of the first entry; lower values use the first entry, values beyond the
            end the last.
        entries: Output values.
        bits: Bits of the entries.
    """

    first: int
    entries: NDArray[np.intp]
    bits: int

    def look_up(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        places = np.rint(values.clip(self.first, self.first + len(self.entries) - 1)) - self.first
        found: NDArray[np.float64] = self.entries[places.astype(np.intp)].astype(np.float64)
        return found


@dataclass(frozen=True)
class StoredRange:
    """The range of stored values, before any lookup table.

    Attributes:
        least, greatest: Bounds by the number of stored bits and their sign.
        little: Whether the file is little-endian.
    """

    least: int
    greatest: int
    little: bool


def read_lookup_table(
    level: Dataset, name: str, stored: StoredRange, signed: bool
) -> LookupTable | None:
    """Return the first lookup table of a sequence, or None."""
    item = first_sequence_item(level, name)
    if item is None:
        return None
    described, data = tag_value(item, "LUTDescriptor") is not None, tag_value(item, "LUTData")
    if not described and data is None:
        return None
    descriptor = _read_lut_descriptor(item, stored.little)
    if len(descriptor) != 3 or data is None:
        raise DicomRefusedError(f"has a {name} without a table")
    n, first, bits = descriptor[0] & 0xFFFF or 2**16, descriptor[1] & 0xFFFF, descriptor[2]
    if not 1 <= bits <= 16:
        raise DicomRefusedError(f"has a table of {bits} bits")
    first -= 2**16 if signed and first >= 2**15 else 0
    return LookupTable(first, table_entries(item, "LUTData", bits, n, little=stored.little), bits)


def _read_lut_descriptor(item: Dataset, little: bool) -> list[int]:
    """Return the numbers of a LUT descriptor, stored as bytes or as numbers."""
    value = tag_value(item, "LUTDescriptor")
    if isinstance(value, bytes):
        return [
            int(n) for n in np.frombuffer(value[: len(value) // 2 * 2], "<u2" if little else ">u2")
        ]
    if any(part is None for part in tag_parts(item, "LUTDescriptor")):
        raise DicomRefusedError("has a table without a descriptor")
    return [int(n or 0) for n in tag_numbers(item, "LUTDescriptor")]
