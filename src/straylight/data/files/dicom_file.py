"""DICOM files opened within bounds: deflated ones, and ones without the usual head."""

import io
import re
import zlib

from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from straylight.core.limits import DICOM_STEPS, RATIO, is_bomb
from straylight.data.files.bounded_stream import Bounded
from straylight.data.files.dicom_tags import Refused, needed

MAGIC = b"DICM"
PREAMBLE = 128
BLOCK = 2**16
# A first tag of group 2 or 8, with a type that such tags have, or with a short length (implicit).
BARE = re.compile(
    rb"(\x02\0[\0-\x03]\0(UL|OB|UI|SH)|\x08\0[\0\x01\x05\x06\x08\x12-\x18]\0"
    rb"(UL|CS|UI|DA|TM|LO|[\0-\x40]\0\0\0))",
    re.DOTALL,
)
# No other tag is ever read: a picture has no name, no date of birth and no hospital.
TAGS = [
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleIntercept", "RescaleSlope", "ModalityLUTSequence"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "PresentationLUTShape"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue")),
    *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData"),
]


def is_dicom(head: bytes) -> bool:
    """Tell a DICOM file by its first 132 bytes, or one without a preamble by its first tag."""
    return head[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC or BARE.match(head) is not None


def open_dicom(data: bytes) -> FileDataset:
    """Read the tags that make the picture.

    Raises:
        Refused: If it asks for more work than an image does.
        Exception: Of many kinds, if it is broken.
    """
    if data[PREAMBLE : PREAMBLE + len(MAGIC)] != MAGIC:
        return _open_bare(data)
    stream = Bounded(data, DICOM_STEPS)
    stream.seek(PREAMBLE + len(MAGIC))
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    if "TransferSyntaxUID" not in meta:
        return _open_bare(data)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        inflated = Bounded(_inflate(data, stream.tell()), DICOM_STEPS)
        dataset = read_dataset(inflated, False, True, specific_tags=[Tag(name) for name in TAGS])
        return _as_file(dataset, ExplicitVRLittleEndian)
    stream.seek(0)
    return dcmread(stream, specific_tags=TAGS)


def _inflate(data: bytes, start: int) -> bytes:
    """Unpack what follows the head of a deflated file."""
    inflater, parts, unpacked = zlib.decompressobj(-zlib.MAX_WBITS), [], 0
    for place in range(start, len(data), BLOCK):
        parts.append(inflater.decompress(data[place : place + BLOCK]))
        unpacked += len(parts[-1])
        if is_bomb(len(data), unpacked):
            raise Refused(f"unpacks to more than {RATIO} times its size")
    return b"".join(parts)


def _open_bare(data: bytes) -> FileDataset:
    """Read a file without its meta header, in which it must fit that the pixels are as long as they say."""
    if not is_dicom(data):
        raise InvalidDicomError
    stream = Bounded(data, DICOM_STEPS)
    dataset = dcmread(stream, force=True, specific_tags=TAGS)
    if "TransferSyntaxUID" in dataset.file_meta:
        return dataset
    if "PixelData" not in dataset:
        raise Refused("is DICOM without its meta header, and without pixel data")
    if dataset["PixelData"].is_undefined_length:
        raise Refused("is DICOM without its meta header, which would say how it is compressed")
    bits = needed(dataset, "BitsAllocated") * needed(dataset, "SamplesPerPixel")
    frames = int(dataset.get("NumberOfFrames") or 1)
    expected = -(-needed(dataset, "Rows") * needed(dataset, "Columns") * frames * bits // 8)
    if not expected <= len(dataset.PixelData) <= expected + 1:
        raise Refused("is DICOM without its meta header, and its pixels are not as long as it says")
    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    return _as_file(dataset, ImplicitVRLittleEndian if implicit else explicit)


def _as_file(dataset: Dataset, syntax: UID) -> FileDataset:
    """Give a data set the head that says how it is written."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    return FileDataset(io.BytesIO(), dataset, file_meta=meta)
