"""Read the tensors of an ONNX file, including external weights in files beside it."""

import math
import os
import stat
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from straylight.core.errors import quote_text
from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.protobuf import (
    Field,
    Message,
    WireReader,
    field_bytes,
    field_floats,
    field_integer,
    field_text,
)

# Field numbers of a TensorProto.
DIMS, KIND, SEGMENT, FLOATS, INTS, STRINGS, LONGS, NAME, RAW = range(1, 10)
DOUBLES, UNSIGNED, EXTERNAL, LOCATION = 10, 11, 13, 14
FLOAT, DOUBLE, HALF, BFLOAT = 1, 11, 10, 16
# Types that torch has as well; weights may be stored in half precision, and are cast then.
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
MOST_DIMENSIONS = 16  # most dimensions of a tensor


class TensorReader:
    """A reader of tensors, including external weights, of which no bytes are read twice.

    Args:
        wire: Parser of the file.
        folder: Folder that contains the file.
    """

    def __init__(self, wire: WireReader, folder: Path) -> None:
        self.wire, self.folder = wire, folder
        self.external_size = 0  # bytes of external weights that were read
        self.left: dict[str, int] = {}  # unclaimed bytes of each external file

    def read(self, field: Field) -> tuple[str, Tensor]:
        """Read the name and the values of a TensorProto.

        Raises:
            UnsupportedModelError: If it claims more bytes than there are, or has a type that torch lacks.
        """
        fields = self.wire.read_message(field)
        kind, dims = (
            field_integer(fields.get(KIND, [])),
            tuple(self.wire.read_integers(fields.get(DIMS, []))),
        )
        if kind not in KINDS:
            raise UnsupportedModelError(
                f"contains {NAMES.get(kind, 'unknown')} numbers, which cannot be computed in float32"
            )
        if len(dims) > MOST_DIMENSIONS or min(dims, default=0) < 0 or SEGMENT in fields:
            raise UnsupportedModelError("has a tensor without plain dimensions")
        dtype, count = np.dtype(KINDS[kind]), math.prod(dims)
        external = field_integer(fields.get(LOCATION, [])) == 1
        data = (
            self._external_bytes(fields, count * dtype.itemsize)
            if external
            else self._embedded_bytes(fields, kind)
        )
        if len(data) != count * dtype.itemsize:
            raise UnsupportedModelError(
                f"has a tensor of {len(data):,} bytes that claims {count * dtype.itemsize:,}"
            )
        array = np.frombuffer(data, dtype).reshape(dims).astype(dtype.newbyteorder("="))
        return field_text(fields.get(NAME, [])), torch.from_numpy(array)

    def _embedded_bytes(self, fields: Message, kind: int) -> bytes | memoryview:
        """Return the bytes of a tensor stored in the file itself."""
        if RAW in fields:
            return field_bytes(fields[RAW][-1])
        if FLOATS in fields and kind == FLOAT:
            return field_floats(fields[FLOATS]).astype("<f4").tobytes()
        if DOUBLES in fields and kind == DOUBLE:
            return b"".join(field_bytes(field) for field in fields[DOUBLES])
        stored = fields.get(LONGS if kind == 7 else INTS, [])
        numbers = np.fromiter(self.wire.read_integers(stored), np.int64)
        if kind == HALF:  # their bits are stored as integers
            return numbers.astype("<u2").tobytes()
        return numbers.astype(KINDS[kind]).tobytes()

    def _external_bytes(self, fields: Message, size: int) -> bytes:
        """Return the bytes of a tensor stored in a file beside the model.

        Raises:
            UnsupportedModelError: If that is not a plain file in the same folder, or does not contain them.
        """
        pairs = (self.wire.read_message(entry) for entry in fields.get(EXTERNAL, []))
        entries = {field_text(pair.get(1, [])): field_text(pair.get(2, [])) for pair in pairs}
        name, offset = entries.get("location", ""), entries.get("offset", "0")
        length = entries.get("length", str(size))
        plain = name not in ("", ".", "..") and not set(name) & set("/\\:\0")
        if not plain or not name.isprintable():
            raise UnsupportedModelError(
                f"has weights in {quote_text(name)!r}: they must be in a file beside it, without a folder"
            )
        if not all(n.isascii() and n.isdigit() and len(n) < 19 for n in (offset, length)):
            raise UnsupportedModelError(
                f"has weights in {quote_text(name)} without a plain offset and length"
            )
        if int(length) != size:
            raise UnsupportedModelError(
                f"has a tensor of {int(length):,} bytes that claims {size:,}"
            )
        return self._read_external_file(name, int(offset), size)

    def _read_external_file(self, name: str, offset: int, size: int) -> bytes:
        """Return bytes from a file beside the model; links and devices are not opened."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        path = self.folder / name
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise UnsupportedModelError(
                    f"has weights in {quote_text(name)}, which is a link or not a file"
                )
            descriptor = os.open(path, flags)
        except OSError as error:
            raise UnsupportedModelError(
                f"has weights in {quote_text(name)}, which is not beside it ({error.strerror}): copy both "
                "files together"
            ) from error
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnsupportedModelError(
                    f"has weights in {quote_text(name)}, which is not a file"
                )
            # No two tensors share bytes, so no more is read than the file has.
            self.left[name] = self.left.get(name, status.st_size) - size
            if offset + size > status.st_size or self.left[name] < 0:
                raise UnsupportedModelError(
                    f"has weights beyond the end of {quote_text(name)}: copy it again"
                )
            self.external_size += size
            stream.seek(offset)
            return stream.read(size)
