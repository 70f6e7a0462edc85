"""Protobuf's wire format, byte by byte."""

import struct

import pytest

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.protobuf import (
    WireReader,
    field_float,
    field_floats,
    field_integer,
    field_text,
)


def test_fields_are_read_by_their_numbers() -> None:
    # 1: varint 150, 2: "ab", 3: float 0.5, 1 again: -1
    data = b"\x08\x96\x01" + b"\x12\x02ab" + b"\x1d" + struct.pack("<f", 0.5)
    fields = WireReader().read_message(memoryview(data + b"\x08" + b"\xff" * 9 + b"\x01"))
    assert field_integer(fields[1]) == -1
    assert field_integer(fields[1][:1]) == 150
    assert field_text(fields[2]) == "ab"
    assert field_float(fields[3][0]) == 0.5
    assert field_floats(fields[3]).tolist() == [0.5]
    assert (field_integer([], 7), field_text([])) == (7, "")


def test_packed_integers_are_signed() -> None:
    assert list(WireReader().read_integers([memoryview(b"\x01\x96\x01"), 2**64 - 2])) == [
        1,
        150,
        -2,
    ]


@pytest.mark.parametrize(
    "data", [b"\x08", b"\x12\x05ab", b"\x1d\x00", b"\x0b", b"\x08" + b"\xff" * 11]
)
def test_what_is_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedModelError, match="is cut short, or is not an ONNX file"):
        WireReader().read_message(memoryview(data))


def test_the_number_of_fields_is_limited() -> None:
    reader = WireReader()
    reader.left = 3
    with pytest.raises(UnsupportedModelError, match=r"contains more than 500,000 fields"):
        reader.read_message(memoryview(b"\x08\x01" * 2))
