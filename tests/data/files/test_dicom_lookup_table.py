"""Lookup tables of DICOM files against pydicom's own."""

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import apply_modality_lut
from pydicom.uid import ExplicitVRLittleEndian

from straylight.data.files.dicom_lookup_table import LookupTable, StoredRange, read_lookup_table
from straylight.data.files.dicom_tags import DicomRefusedError

NAME = "ModalityLUTSequence"
STORED = {False: StoredRange(0, 2**16 - 1, True), True: StoredRange(-(2**15), 2**15 - 1, True)}


def make_level(
    descriptor: list[int] | bytes, data: bytes, kind: str = "US", data_kind: str = "OW"
) -> Dataset:
    """A data set whose sequence holds one table."""
    item, level = Dataset(), Dataset()
    item.add_new("LUTDescriptor", "OW" if isinstance(descriptor, bytes) else kind, descriptor)
    item.add_new("LUTData", data_kind, data)
    level.ModalityLUTSequence = [item]
    return level


def read(level: Dataset, *, signed: bool = False) -> LookupTable:
    found = read_lookup_table(level, NAME, STORED[signed], signed)
    assert found is not None
    return found


@pytest.mark.parametrize(("first", "signed"), [(0, False), (40_000, False), (-70, True), (5, True)])
def test_values_are_looked_up_as_pydicom_does(first: int, signed: bool) -> None:
    entries = np.random.default_rng(0).integers(0, 2**16, 200).astype("<u2")
    level = make_level([200, first, 16], entries.tobytes(), "SS" if signed else "US")
    level.PixelRepresentation = int(signed)
    level.file_meta = FileMetaDataset()
    level.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values = np.arange(first - 30, first + 230)
    values = values[values >= STORED[signed].least]
    table = read(level, signed=signed)
    assert (table.first, table.bits, len(table.entries)) == (first, 16, 200)
    assert np.array_equal(table.look_up(values.astype(float)), apply_modality_lut(values, level))


def test_values_between_entries_take_the_nearest() -> None:
    table = LookupTable(-1, np.array([10, 20, 30]), 8)
    values = np.array([-9.0, -1.0, -0.6, -0.4, 0.4, 0.6, 1.0, 9.0])
    assert table.look_up(values).tolist() == [10, 10, 10, 20, 20, 30, 30, 30]


def test_no_entries_are_as_many_as_16_bits_count() -> None:
    entries = np.arange(2**16)[::-1].astype("<u2")
    table = read(make_level([0, 0, 16], entries.tobytes()))
    assert np.array_equal(table.look_up(np.arange(2.0**16)), entries)


def test_eight_bits_are_packed_two_in_a_word() -> None:
    entries = np.random.default_rng(0).integers(0, 256, 101, dtype=np.uint8)
    assert np.array_equal(read(make_level([101, 0, 8], entries.tobytes() + b"\0")).entries, entries)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_descriptor_in_bytes_is_in_the_order_of_the_file(order: str) -> None:
    descriptor = np.array([3, 2**16 - 2, 12], f"{order}u2").tobytes()
    entries = np.array([7, 8, 4095], f"{order}u2")
    level = make_level(descriptor, entries.tobytes())
    found = read_lookup_table(level, NAME, StoredRange(-(2**15), 2**15 - 1, order == "<"), True)
    assert found is not None
    assert (found.first, found.bits, found.entries.tolist()) == (-2, 12, [7, 8, 4095])


@pytest.mark.parametrize("sequence", [None, [], [Dataset()]])
def test_an_empty_sequence_is_no_table(sequence: list[Dataset] | None) -> None:
    level = Dataset()
    if sequence is not None:
        level.ModalityLUTSequence = sequence
    assert read_lookup_table(level, NAME, STORED[False], False) is None


@pytest.mark.parametrize(
    ("descriptor", "data", "said"),
    [
        ([2, 0, 17], bytes(4), "has a table of 17 bits"),
        ([2, 0, 0], bytes(4), "has a table of 0 bits"),
        ([2, 0], bytes(4), "has a ModalityLUTSequence without a table"),
        ([2, 0, 16], b"", "has a ModalityLUTSequence without a table"),
        ([3, 0, 16], bytes(4), "has a LUTData with fewer entries than stated"),
        ([], bytes(4), "has a table without a descriptor"),
    ],
)
def test_tables_without_entries_are_refused(descriptor: Any, data: bytes, said: str) -> None:  # noqa: ANN401
    with pytest.raises(DicomRefusedError, match=said):
        read(make_level(descriptor, data))
