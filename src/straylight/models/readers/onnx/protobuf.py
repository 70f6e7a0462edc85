"""Parse protobuf's wire format field by field; fields that are not needed are not parsed."""

import struct
from collections.abc import Iterator

import numpy as np

from straylight.models.readers.network import UnsupportedModelError

MOST_FIELDS = 500_000  # fields and numbers of one file; 10,000 nodes have a tenth
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = int | memoryview
Message = dict[int, list[Field]]


class WireReader:
    """A parser of messages with bounded cost: protobuf's own creates an object for every two bytes."""

    def __init__(self) -> None:
        self.left = MOST_FIELDS

    def read_message(self, field: Field) -> Message:
        """Return the fields of a message by their numbers.

        Raises:
            UnsupportedModelError: If it is not a message, or has too many fields.
        """
        found: Message = {}
        data = field_bytes(field)
        place = 0
        while place < len(data):
            tag, place = self._read_varint(data, place)
            number, kind = tag >> 3, tag & 7
            value: Field
            if kind == VARINT:
                value, place = self._read_varint(data, place)
            else:
                size = {FIXED64: 8, FIXED32: 4}.get(kind, -1)
                if kind == BYTES:
                    size, place = self._read_varint(data, place)
                if not 0 <= size <= len(data) - place:
                    raise UnsupportedModelError("is cut short, or is not an ONNX file")
                value = data[place : place + size]
                place += size
            found.setdefault(number, []).append(value)
        return found

    def _read_varint(self, data: memoryview, place: int) -> tuple[int, int]:
        """Return an unsigned integer and the position after it."""
        self.left -= 1
        if self.left < 0:
            raise UnsupportedModelError(f"contains more than {MOST_FIELDS:,} fields")
        value = 0
        for shift in range(0, 70, 7):
            if place >= len(data):
                break
            byte = data[place]
            place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & (2**64 - 1), place
        raise UnsupportedModelError("is cut short, or is not an ONNX file")

    def read_integers(self, fields: list[Field]) -> Iterator[int]:
        """Yield signed integers, packed or not."""
        for field in fields:
            if isinstance(field, int):
                yield _to_signed(field)
                continue
            place = 0
            while place < len(field):
                value, place = self._read_varint(field, place)
                yield _to_signed(value)


def _to_signed(value: int) -> int:
    """Return a varint as a signed 64-bit integer."""
    return value - 2**64 if value >= 2**63 else value


def field_bytes(field: Field) -> memoryview:
    """Return the bytes of a field."""
    if isinstance(field, int):
        raise UnsupportedModelError("has a number where bytes belong")
    return field


def field_text(fields: list[Field]) -> str:
    """Return the last value of a string field; names are only compared and quoted."""
    return bytes(field_bytes(fields[-1])).decode("utf-8", "replace") if fields else ""


def field_integer(fields: list[Field], otherwise: int = 0) -> int:
    """Return the last value of an integer field."""
    if not fields:
        return otherwise
    if not isinstance(fields[-1], int):
        raise UnsupportedModelError("has bytes where a number belongs")
    return _to_signed(fields[-1])


def field_floats(fields: list[Field]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return the values of a float field, packed or not."""
    data = b"".join(field_bytes(field) for field in fields)
    if len(data) % 4:
        raise UnsupportedModelError("is cut short, or is not an ONNX file")
    return np.frombuffer(data, "<f4").astype(np.float32)


def field_float(field: Field) -> float:
    """Return the value of a 32-bit float field."""
    data = field_bytes(field)
    if len(data) != 4:
        raise UnsupportedModelError("has a number that is not of 32 bits")
    return float(struct.unpack("<f", data)[0])
