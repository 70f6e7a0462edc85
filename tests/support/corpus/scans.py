"""DICOM files: damaged, with tags that lie, and bombs."""

import io
import struct
import zlib
from collections.abc import Iterator
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
    from corpus.lies import lies, without

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
