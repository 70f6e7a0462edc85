"""DICOM files whose tags claim what is not there."""

import struct
from collections.abc import Callable

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset

from corpus.scans import dicom, ramp, table
from dicoms import written


def without(*names: str) -> FileDataset:
    file = ramp()
    for name in names:
        del file[name]
    return file


def raw(tag: int, kind: str, value: bytes) -> bytes:
    """The file with one tag of group 0028 replaced by bytes that pydicom would not write."""
    data = written(ramp())
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    size = b"\0\0" + struct.pack("<I", len(value)) if kind in ("OB", "OW", "SQ", "UN") else None
    element = head + kind.encode() + (size or struct.pack("<H", len(value))) + value
    start = data.find(head + b"US")
    if start < 0:
        start = end = data.index(struct.pack("<HH", 0x7FE0, 0x10))
    else:
        end = start + 10
    return data[:start] + element + data[end:]


def lies() -> dict[str, tuple[bytes, str]]:
    """Tags that claim what is not there."""
    short = struct.Struct("<H").pack
    rows, columns, samples, allocated, stored = (
        *(0x00280010, 0x00280011, 0x00280002, 0x00280100, 0x00280101),
    )
    found = {f"rows-{n}": (raw(rows, "US", short(n)), "refused") for n in (0, 11, 60_000, 65_535)}
    found |= {f"columns-{n}": (raw(columns, "US", short(n)), "refused") for n in (0, 65_535)}
    found |= {f"samples-{n}": (raw(samples, "US", short(n)), "refused") for n in (0, 2, 4, 65_535)}
    found |= {
        f"allocated-{n}": (raw(allocated, "US", short(n)), "refused")
        for n in (0, 7, 16, 32, 64, 65_535)
    }
    found |= {"allocated-1": (raw(allocated, "US", short(1)), "any")}
    found |= {f"stored-{n}": (raw(stored, "US", short(n)), "refused") for n in (0, 9, 65_535)}
    found |= {
        f"frames-{n}": (raw(0x00280008, "IS", text), "refused")
        for n, text in {
            "many": b"2147483647",
            "less": b"-3",
            "word": b"many",
            "list": b"1\\2",
        }.items()
    }
    numbers = {"nan": b"nan ", "inf": b"inf ", "word": b"wide", "most": b"1e308 ", "none": b"\\ "}
    for name, tag in {"slope": 0x00281053, "intercept": 0x00281052, "width": 0x00281051}.items():
        for word, text in numbers.items():
            if (name, word) == ("slope", "none"):
                continue
            found[f"{name}-{word}"] = (
                windowed(tag, text),
                "refused" if word in ("nan", "word") else "any",
            )
    found["width-zero"] = windowed(0x00281051, b"0 "), "read"
    found["width-negative"] = windowed(0x00281051, b"-5"), "read"
    found["kind-of-value"] = raw(rows, "SQ", b"\xfe\xff\x00\xe0\x04\x00\x00\x00abcd"), "refused"
    found["rows-twice"] = raw(rows, "US", short(10) + short(12)), "refused"
    tables = {
        n: (written(make()), "read" if n in EMPTY else "refused") for n, make in TABLES.items()
    }
    return found | tables | missing()


def windowed(tag: int, value: bytes) -> bytes:
    """A file with window and rescaling, one of their values replaced by text that is no number."""
    file = ramp("int16")
    file.RescaleIntercept = file.RescaleSlope = file.WindowCenter = file.WindowWidth = "77"
    data = written(file)
    start = data.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF) + b"DS")
    head = data[start : start + 6]
    return data[:start] + head + struct.pack("<H", len(value)) + value + data[start + 10 :]


def missing() -> dict[str, tuple[bytes, str]]:
    needed = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PixelData")
    needed += ("BitsAllocated", "BitsStored", "PixelRepresentation")
    found = {f"without-{name}": (written(without(name)), "refused") for name in needed}
    unknown = written(ramp()).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0")
    found["syntax-unknown"] = unknown, "refused"
    found["syntax-none"] = unknown.replace(b"1.2.840.99999.1.2.1\0", b"\xff" * 20), "refused"
    return found


def with_table(name: str, *sequence: Dataset) -> Callable[[], FileDataset]:
    def make() -> FileDataset:
        file = ramp("uint16")
        setattr(file, name, list(sequence))
        return file

    return make


EMPTY = ("voi-none", "voi-empty", "modality-empty")  # as if there were no table
TABLES = {
    "voi-short": with_table("VOILUTSequence", table([256, 0, 16], b"ab")),
    "voi-no-bits": with_table("VOILUTSequence", table([2, 0, 0], b"abcd")),
    "voi-bits": with_table("VOILUTSequence", table([2, 0, 65_535], b"abcd")),
    "voi-none": with_table("VOILUTSequence"),
    "voi-empty": with_table("VOILUTSequence", Dataset()),
    "voi-two-numbers": with_table("VOILUTSequence", table([2, 0], b"abcd")),
    "modality-short": with_table("ModalityLUTSequence", table([0, 0, 16], b"ab")),
    "modality-empty": with_table("ModalityLUTSequence", Dataset()),
    "palette-none": lambda: dicom(np.zeros((4, 4), np.uint8), "PALETTE COLOR"),
}
