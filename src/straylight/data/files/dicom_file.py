"""Open DICOM files within bounds, including deflated ones and ones without a preamble."""

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
from straylight.data.files.bounded_stream import BoundedStream
from straylight.data.files.dicom_tags import DicomRefusedError, required_integer

MAGIC = b"DICM"
PREAMBLE = 128
BLOCK = 2**16
# A first tag of group 2 or 8 with a VR that such tags have, or (implicit VR) a short length.
BARE = re.compile(
    rb"(\x02\0[\0-\x03]\0(UL|OB|UI|SH)|\x08\0[\0\x01\x05\x06\x08\x12-\x18]\0"
    rb"(UL|CS|UI|DA|TM|LO|[\0-\x40]\0\0\0))",
    re.DOTALL,
)
# No other tag is ever read: no name, date of birth or hospital.
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
    """Return whether the first bytes are those of a DICOM file, with or without a preamble."""
    return head[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC or BARE.match(head) is not None


def open_dicom(data: bytes) -> FileDataset:
    """Read the tags that are needed to display the image.

    Raises:
        DicomRefusedError: If it needs more work than an image should.
        Exception: Of many types, if it is damaged.
    """
    if data[PREAMBLE : PREAMBLE + len(MAGIC)] != MAGIC:
        return _open_without_preamble(data)
    stream = BoundedStream(data, DICOM_STEPS)
    stream.seek(PREAMBLE + len(MAGIC))
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    if "TransferSyntaxUID" not in meta:
        return _open_without_preamble(data)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        inflated = BoundedStream(_inflate_dataset(data, stream.tell()), DICOM_STEPS)
        dataset = read_dataset(inflated, False, True, specific_tags=[Tag(name) for name in TAGS])
        return _with_file_meta(dataset, ExplicitVRLittleEndian)
    stream.seek(0)
    return dcmread(stream, specific_tags=TAGS)


def _inflate_dataset(data: bytes, start: int) -> bytes:
    """Inflate the data set of a deflated file."""
    inflater, parts, unpacked = zlib.decompressobj(-zlib.MAX_WBITS), [], 0
    for place in range(start, len(data), BLOCK):
        parts.append(inflater.decompress(data[place : place + BLOCK]))
        unpacked += len(parts[-1])
        if is_bomb(len(data), unpacked):
            raise DicomRefusedError(f"unpacks to more than {RATIO} times its size")
    return b"".join(parts)


def _open_without_preamble(data: bytes) -> FileDataset:
    """Read a file without preamble or meta header, whose pixel data must have the expected length."""
    if not is_dicom(data):
        raise InvalidDicomError
    stream = BoundedStream(data, DICOM_STEPS)
    dataset = dcmread(stream, force=True, specific_tags=TAGS)
    if "TransferSyntaxUID" in dataset.file_meta:
        return dataset
    if "PixelData" not in dataset:
        raise DicomRefusedError("is DICOM without a meta header and without pixel data")
    if dataset["PixelData"].is_undefined_length:
        raise DicomRefusedError(
            "is compressed DICOM without the meta header that would name the compression"
        )
    bits = required_integer(dataset, "BitsAllocated") * required_integer(dataset, "SamplesPerPixel")
    frames = int(dataset.get("NumberOfFrames") or 1)
    expected = -(
        -required_integer(dataset, "Rows")
        * required_integer(dataset, "Columns")
        * frames
        * bits
        // 8
    )
    if not expected <= len(dataset.PixelData) <= expected + 1:
        raise DicomRefusedError(
            "is DICOM without a meta header, and its pixel data does not have the expected length"
        )
    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    return _with_file_meta(dataset, ImplicitVRLittleEndian if implicit else explicit)


def _with_file_meta(dataset: Dataset, syntax: UID) -> FileDataset:
    """Return a data set with file meta information that names the transfer syntax."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    return FileDataset(io.BytesIO(), dataset, file_meta=meta)
