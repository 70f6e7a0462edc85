"""DICOM files made for tests."""

import io
from typing import Any

from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid


def dicom(values: NDArray[Any], kind: str = "MONOCHROME2", **tags: object) -> FileDataset:
    """Make a file of (H, W), (frames, H, W) or (H, W, 3) values."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID = meta.MediaStorageSOPClassUID
    file.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    colour = kind in ("RGB", "YBR_FULL")
    frames = values.ndim == 3 and not colour
    file.PhotometricInterpretation = kind
    file.SamplesPerPixel = 3 if colour else 1
    if colour:
        file.PlanarConfiguration = 0
    if frames:
        file.NumberOfFrames = len(values)
    file.Rows, file.Columns = values.shape[1:3] if frames else values.shape[:2]
    file.BitsAllocated = file.BitsStored = 8 * values.dtype.itemsize
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = int(values.dtype.kind == "i")
    file.PixelData = values.tobytes()
    file["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
    for name, value in tags.items():
        setattr(file, name, value)
    return file


def written(file: Dataset) -> bytes:
    stream = io.BytesIO()
    file.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
