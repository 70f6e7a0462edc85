"""The wire format of protobuf, read field by field: what is not asked for is never looked at."""

import struct
from collections.abc import Iterator

import numpy as np

from straylight.models.readers.export_checks import Refused

MOST = 500_000  # fields and numbers of one file; 10,000 nodes have a tenth
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = int | memoryview
Message = dict[int, list[Field]]


class Wire:
    """Reads messages, at bounded cost: protobuf's own reader makes an object of every two bytes."""

    def __init__(self) -> None:
        self.left = MOST

    def message(self, field: Field) -> Message:
        """Return the fields of a message by their numbers.

        Raises:
            Refused: If it is not a message, or has too many fields.
        """
        found: Message = {}
        data = view(field)
        place = 0
        while place < len(data):
            tag, place = self.varint(data, place)
            number, kind = tag >> 3, tag & 7
            value: Field
            if kind == VARINT:
                value, place = self.varint(data, place)
            else:
                size = {FIXED64: 8, FIXED32: 4}.get(kind, -1)
                if kind == BYTES:
                    size, place = self.varint(data, place)
                if not 0 <= size <= len(data) - place:
                    raise Refused("is cut short, or is not an ONNX file")
                value = data[place : place + size]
                place += size
            found.setdefault(number, []).append(value)
        return found

    def varint(self, data: memoryview, place: int) -> tuple[int, int]:
        """Return a number and where it ends."""
        self.left -= 1
        if self.left < 0:
            raise Refused(f"holds more than {MOST:,} fields")
        value = 0
        for shift in range(0, 70, 7):
            if place >= len(data):
                break
            byte = data[place]
            place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & (2**64 - 1), place
        raise Refused("is cut short, or is not an ONNX file")

    def numbers(self, fields: list[Field]) -> Iterator[int]:
        """Yield signed integers, packed or not."""
        for field in fields:
            if isinstance(field, int):
                yield signed(field)
                continue
            place = 0
            while place < len(field):
                value, place = self.varint(field, place)
                yield signed(value)


def signed(value: int) -> int:
    """Return the number of 64 bits that a varint stands for."""
    return value - 2**64 if value >= 2**63 else value


def view(field: Field) -> memoryview:
    """Return the bytes of a field."""
    if isinstance(field, int):
        raise Refused("has a number where bytes belong")
    return field


def text(fields: list[Field]) -> str:
    """Return a string, the last one if there are several; names are for comparing and quoting only."""
    return bytes(view(fields[-1])).decode("utf-8", "replace") if fields else ""


def integer(fields: list[Field], otherwise: int = 0) -> int:
    """Return a signed integer, the last one if there are several."""
    if not fields:
        return otherwise
    if not isinstance(fields[-1], int):
        raise Refused("has bytes where a number belongs")
    return signed(fields[-1])


def floats(fields: list[Field]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return numbers of 32 bits, packed or not."""
    data = b"".join(view(field) for field in fields)
    if len(data) % 4:
        raise Refused("is cut short, or is not an ONNX file")
    return np.frombuffer(data, "<f4").astype(np.float32)


def single(field: Field) -> float:
    """Return one number of 32 bits."""
    data = view(field)
    if len(data) != 4:
        raise Refused("has a number that is not of 32 bits")
    return float(struct.unpack("<f", data)[0])
