"""DICOM files: damaged, with tags that lie, and bombs."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

import dicoms
from corpus import Case, damaged
from corpus.pictures import jpeg_claim, saved
from dicoms import written

MIB = 2**20


def dicom(values: NDArray[Any], kind: str = "MONOCHROME2") -> FileDataset:
    """A file that is the same each time."""
    file = dicoms.dicom(values, kind)
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = UID("1.2.3.4")
    return file


def ramp(dtype: str = "uint8") -> FileDataset:
    return dicom(np.linspace(0, 250, 120).astype(dtype).reshape(10, 12))


def table(descriptor: list[int], entries: bytes) -> Dataset:
    found = Dataset()
    found.add_new("LUTDescriptor", "US", descriptor)
    found.add_new("LUTData", "OW", entries)
    return found


def inside(syntax: UID, data: bytes) -> FileDataset:
    """A file that says 12 x 10 and holds compressed pixels."""
    file = ramp()
    file.file_meta.TransferSyntaxUID = syntax
    file.PixelData = encapsulate([data + b"\0" * (len(data) % 2)])
    file["PixelData"].is_undefined_length = True
    return file


def goods(rng: np.random.Generator) -> dict[str, bytes]:
    image = Image.fromarray(rng.integers(0, 256, (10, 12), dtype=np.uint8))
    hounsfield = ramp("int16")
    hounsfield.RescaleSlope, hounsfield.RescaleIntercept = 2, -100
    hounsfield.WindowCenter, hounsfield.WindowWidth = [40, 50], [400, 300]
    looked_up = ramp()
    entries = np.arange(256, dtype="<u2").tobytes()
    looked_up.VOILUTSequence = [table([256, 0, 16], entries)]
    deflated, runs = ramp(), ramp()
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    runs.compress(RLELossless, generate_instance_uid=False)
    files = {
        "grey": ramp(),
        "hounsfield": hounsfield,
        "table": looked_up,
        "deflated": deflated,
        "runs": runs,
        "colour": dicom(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8), "RGB"),
        "frames": dicom(np.stack([np.zeros((10, 12), np.uint8)] * 3)),
        "jpeg": inside(JPEGBaseline8Bit, saved(image, "JPEG")),
        "jpeg2000": inside(JPEG2000Lossless, saved(image, "JPEG2000")),
    }
    return {f"{name}.dcm": written(file) for name, file in files.items()}


def cases(rng: np.random.Generator) -> Iterator[Case]:
    found = goods(rng)
    for name, data in found.items():
        yield from damaged("scans", name, data, rng)
    image = saved(Image.new("L", (12, 10)), "JPEG")
    bombs = {
        "jpeg-claims": written(inside(JPEGBaseline8Bit, jpeg_claim(image, 11_000))),
        "deflated-bomb": deflated_bomb(found["deflated.dcm"], 256 * MIB),
        "nested": nested(found["grey.dcm"], 3_000),
        "only-head": bytes(128) + b"DICM",
        "directory": written(without("PixelData")),
    }
    for name, data in bombs.items():
        yield Case(f"scans/{name}.dcm", data, "refused")
    for name, (value, expected) in lies().items():
        yield Case(f"scans/lie-{name}.dcm", value, expected)


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
    found["width-zero"] = windowed(0x00281051, b"0 "), "refused"
    found["width-negative"] = windowed(0x00281051, b"-5"), "refused"
    found["kind-of-value"] = raw(rows, "SQ", b"\xfe\xff\x00\xe0\x04\x00\x00\x00abcd"), "refused"
    found["rows-twice"] = raw(rows, "US", short(10) + short(12)), "refused"
    return found | {name: (written(make()), "refused") for name, make in TABLES.items()} | missing()


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


def deflated_bomb(good: bytes, size: int) -> bytes:
    """A deflated file that unpacks to `size` zeros more."""
    start = good.index(b"1.2.840.10008.1.2.1.99") + 22
    while True:  # the data set begins where inflating succeeds
        try:
            body = zlib.decompress(good[start:], -15)
            break
        except zlib.error:
            start += 1
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = io.BytesIO(good[:start])
    stream.seek(0, io.SEEK_END)
    stream.write(packer.compress(body) + packer.flush(zlib.Z_FULL_FLUSH))
    zeros = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    stream.write(zeros * (size // MIB) + packer.flush())
    return stream.getvalue()


def nested(good: bytes, depth: int) -> bytes:
    """A modality table in a table in a table ..."""
    place = good.index(struct.pack("<HH", 0x7FE0, 0x10))
    start = struct.pack("<HH2sHI", 0x0028, 0x3000, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return good[:place] + (start + item) * depth + good[place:]
