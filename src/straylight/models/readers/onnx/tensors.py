"""Tensors of an ONNX file, and of the files beside it that it names."""

import math
import os
import stat
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from straylight.core.errors import quoted
from straylight.models.readers.export_checks import Refused
from straylight.models.readers.onnx.protobuf import (
    Field,
    Message,
    Wire,
    floats,
    integer,
    text,
    view,
)

# TensorProto: numbers of its fields.
DIMS, KIND, SEGMENT, FLOATS, INTS, STRINGS, LONGS, NAME, RAW = range(1, 10)
DOUBLES, UNSIGNED, EXTERNAL, LOCATION = 10, 11, 13, 14
FLOAT, DOUBLE, HALF, BFLOAT = 1, 11, 10, 16
# What torch has as well; weights may be stored in half precision, and then cast.
KINDS = {
    FLOAT: "<f4",
    2: "u1",
    3: "i1",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    HALF: "<f2",
    DOUBLE: "<f8",
}
NAMES = {
    0: "undefined",
    4: "uint16",
    8: "string",
    HALF: "float16",
    DOUBLE: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    BFLOAT: "bfloat16",
    21: "uint4",
    22: "int4",
}
SIDES = 16  # dimensions of a tensor


class Tensors:
    """Reads tensors; the weights beside the file are read once each.

    Args:
        wire: Of the file.
        folder: Where the file lies.
    """

    def __init__(self, wire: Wire, folder: Path) -> None:
        self.wire, self.folder = wire, folder
        self.beside_it = 0  # bytes that were read there
        self.left: dict[str, int] = {}  # bytes of each file beside it that no tensor has claimed

    def read(self, field: Field) -> tuple[str, Tensor]:
        """Return the name and the values of a TensorProto.

        Raises:
            Refused: If it claims more than there is, or numbers that torch does not have.
        """
        fields = self.wire.message(field)
        kind, dims = integer(fields.get(KIND, [])), tuple(self.wire.numbers(fields.get(DIMS, [])))
        if kind not in KINDS:
            raise Refused(
                f"holds {NAMES.get(kind, 'unknown')} numbers, which do not compute in float32"
            )
        if len(dims) > SIDES or min(dims, default=0) < 0 or SEGMENT in fields:
            raise Refused("has a tensor without plain dimensions")
        dtype, count = np.dtype(KINDS[kind]), math.prod(dims)
        external = integer(fields.get(LOCATION, [])) == 1
        data = (
            self.beside(fields, count * dtype.itemsize) if external else self.inside(fields, kind)
        )
        if len(data) != count * dtype.itemsize:
            raise Refused(
                f"has a tensor of {len(data):,} bytes that says it has {count * dtype.itemsize:,}"
            )
        array = np.frombuffer(data, dtype).reshape(dims).astype(dtype.newbyteorder("="))
        return text(fields.get(NAME, [])), torch.from_numpy(array)

    def inside(self, fields: Message, kind: int) -> bytes | memoryview:
        """Return the bytes of a tensor that lies in the file itself."""
        if RAW in fields:
            return view(fields[RAW][-1])
        if FLOATS in fields and kind == FLOAT:
            return floats(fields[FLOATS]).astype("<f4").tobytes()
        if DOUBLES in fields and kind == DOUBLE:
            return b"".join(view(field) for field in fields[DOUBLES])
        stored = fields.get(LONGS if kind == 7 else INTS, [])
        numbers = np.fromiter(self.wire.numbers(stored), np.int64)
        if kind == HALF:  # their bits are stored as integers
            return numbers.astype("<u2").tobytes()
        return numbers.astype(KINDS[kind]).tobytes()

    def beside(self, fields: Message, size: int) -> bytes:
        """Return the bytes of a tensor that lies in a file beside the model.

        Raises:
            Refused: If that is not a plain file in the same folder, or does not hold them.
        """
        pairs = (self.wire.message(entry) for entry in fields.get(EXTERNAL, []))
        said = {text(pair.get(1, [])): text(pair.get(2, [])) for pair in pairs}
        name, offset = said.get("location", ""), said.get("offset", "0")
        length = said.get("length", str(size))
        plain = name not in ("", ".", "..") and not set(name) & set("/\\:\0")
        if not plain or not name.isprintable():
            raise Refused(
                f"has weights in {quoted(name)!r}: they must lie beside it, named without a folder"
            )
        if not all(n.isascii() and n.isdigit() and len(n) < 19 for n in (offset, length)):
            raise Refused(f"has weights in {quoted(name)} without a plain offset and length")
        if int(length) != size:
            raise Refused(f"has a tensor of {int(length):,} bytes that says it has {size:,}")
        return self.cut(name, int(offset), size)

    def cut(self, name: str, offset: int, size: int) -> bytes:
        """Return bytes of a file beside the model; a link or a device is not opened."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        path = self.folder / name
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise Refused(f"has weights in {quoted(name)}, which is a link or not a file")
            descriptor = os.open(path, flags)
        except OSError as error:
            raise Refused(
                f"has weights in {quoted(name)}, which is not beside it ({error.strerror}): copy both "
                "files together"
            ) from error
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused(f"has weights in {quoted(name)}, which is not a file")
            # No two tensors share bytes, so what is read is never more than there is.
            self.left[name] = self.left.get(name, status.st_size) - size
            if offset + size > status.st_size or self.left[name] < 0:
                raise Refused(f"has weights beyond the end of {quoted(name)}: copy it again")
            self.beside_it += size
            stream.seek(offset)
            return stream.read(size)
