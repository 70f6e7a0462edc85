"""Deflated DICOM files, which pydicom unpacks whole: how much comes out of them."""

import io
import zlib

from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from straylight.limits import is_bomb

MAGIC = b"DICM"
PREAMBLE = 128
BLOCK = 2**16


def inflates_too_far(data: bytes) -> bool:
    """Tell a DICOM file that unpacks to more than images do, without keeping what comes out.

    Raises:
        Exception: Of many kinds, if it is broken.
    """
    stream = io.BytesIO(data)
    stream.seek(PREAMBLE + len(MAGIC))
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return False
    inflater, unpacked = zlib.decompressobj(-zlib.MAX_WBITS), 0
    for start in range(stream.tell(), len(data), BLOCK):
        unpacked += len(inflater.decompress(data[start : start + BLOCK]))
        if is_bomb(len(data), unpacked):
            return True
    return False
