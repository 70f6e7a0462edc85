"""Pictures whose depth, planes, number or size is not what a decoder takes them for."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, JPEGBaseline8Bit

from dicoms import dicom, written
from straylight.cohort.load import load_cohort
from straylight.cohort.reading import Reading
from straylight.data.files.decode import decode, decode_with_range
from straylight.data.files.dicom import DicomView
from straylight.data.value_ranges import CHOSEN_WINDOW, SPAN, STORED, UPPER_BITS, ValueRange
from straylight.evaluation.preflight.images import check_images

Values = NDArray[Any]
SIDE = 16
GREY, COLOUR = (1, SIDE, SIDE), (3, SIDE, SIDE)
VIEW = DicomView()
RNG = np.random.default_rng(5)
DEEP = RNG.integers(0, 2**16, (SIDE, SIDE, 3)).astype(np.uint16)
BYTES = RNG.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)


def spanned(values: Values) -> NDArray[np.uint8]:
    shares = (values - values.min()) / np.ptp(values)
    found: NDArray[np.uint8] = np.round(255 * shares).astype(np.uint8)
    return found


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey_alpha_png(grey: Values, alpha: Values) -> bytes:
    rows = np.stack([grey, alpha], -1).astype(">u2")
    head = struct.pack(">IIBBBBB", *grey.shape[::-1], 16, 4, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", head), chunk(b"IDAT", body), chunk(b"IEND", b""))
    )


def tiff(values: Values, **settings: Any) -> bytes:  # noqa: ANN401
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **settings)
    return stream.getvalue()


def jpeg_2000(values: Values) -> bytearray:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "JPEG2000", no_jp2=True)
    return bytearray(stream.getvalue())


@pytest.mark.parametrize("view", [VIEW, None])
def test_deep_planes_of_a_tiff_are_refused_unless_they_are_compressed(
    view: DicomView | None,
) -> None:
    planes = np.ascontiguousarray(DEEP.transpose(2, 0, 1))
    settings = {"photometric": "rgb", "planarconfig": "separate"}
    with pytest.raises(ValueError, match="separate planes"):
        decode(tiff(planes, **settings), COLOUR, view)
    packed = tiff(planes, compression="zlib", **settings)
    assert (decode(packed, COLOUR, view) == planes >> 8).all()
    plain = (planes >> 8).astype(np.uint8)
    assert (decode(tiff(plain, **settings), COLOUR, view) == plain).all()


@pytest.mark.parametrize(("values", "kind"), [(DEEP[..., 0], "minisblack"), (BYTES, "miniswhite")])
def test_a_plane_of_grey_is_refused_where_its_meaning_is_lost(values: Values, kind: str) -> None:
    together = tiff(values, photometric=kind)
    entry = struct.pack("<HHIHH", 277, 3, 1, 1, 0)  # samples per pixel: the tag becomes the planes'
    separate = together.replace(entry, struct.pack("<HHIHH", 284, 3, 1, 2, 0))
    assert separate != together
    decode(together, GREY, VIEW)
    with pytest.raises(ValueError, match="separate planes"):
        decode(separate, GREY, VIEW)


def test_grey_of_16_bits_with_alpha_is_grey_of_16_bits() -> None:
    values = DEEP[..., 0] >> 4
    opaque = np.full_like(values, 2**16 - 1)
    shown, told = decode_with_range(grey_alpha_png(values, opaque), GREY, VIEW)
    assert (shown[0] == spanned(values)).all()
    assert told == ValueRange(SPAN, values.min(), values.max())
    opaque[3, 3] -= 1
    with pytest.raises(ValueError, match="transparent in places"):
        decode(grey_alpha_png(values, opaque), GREY, VIEW)


def test_a_tiff_that_is_not_read_says_so() -> None:
    both = np.stack([DEEP[..., 0]] * 2, -1)
    for data in (
        tiff(both, photometric="minisblack", extrasamples=["unassalpha"]),
        tiff(BYTES.astype(np.int16), photometric="miniswhite"),
    ):
        with pytest.raises(ValueError, match="TIFF that is broken or of an unusual kind"):
            decode(data, GREY, VIEW)


def test_jpeg_2000_has_the_depth_that_it_says() -> None:
    """The same codestream with another depth in its head: what is stored moves around the middle."""
    colours = jpeg_2000((DEEP >> 8).astype(np.uint8))
    assert list(colours[42:51:3]) == [7, 7, 7]
    for bits in (12, 16):
        colours[42:51:3] = bytes([bits - 1]) * 3
        _, told = decode_with_range(bytes(colours), COLOUR, VIEW)
        assert told == ValueRange(UPPER_BITS, 0, 2**bits - 1)
    colours[42:51:3] = b"\x87" * 3
    with pytest.raises(ValueError, match="signed values that are not grey"):
        decode(bytes(colours), COLOUR, VIEW)
    colours[42:51:3] = b"\x07\x07\x0b"
    with pytest.raises(ValueError, match="different depths"):
        decode(bytes(colours), COLOUR, VIEW)
    low = BYTES >> 6
    grey = jpeg_2000(low + np.uint8(128 - 8))  # around 8 of 16, as 8 bits are around 128
    grey[42] = 3
    shown, told = decode_with_range(bytes(grey), GREY, VIEW)
    assert (shown[0] == 17 * low).all()
    assert told == ValueRange(STORED, 0, 15)
    signed = jpeg_2000(BYTES)
    signed[42] = 0x87
    shown, told = decode_with_range(bytes(signed), GREY, VIEW)
    assert (shown[0] == spanned(BYTES)).all()
    assert told == ValueRange(SPAN, int(BYTES.min()) - 128, int(BYTES.max()) - 128)


def test_an_image_claims_what_its_file_can_hold() -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (4200, 4200), (9, 9, 9, 255)).save(stream, "PNG")
    small = stream.getvalue()
    assert 4 * 4200**2 > 2**26 > 100 * len(small)
    with pytest.raises(ValueError, match="more than 100 times as much as a file of its size"):
        decode(small, COLOUR, VIEW)
    head = jpeg_2000(BYTES)
    head[8:16] = struct.pack(">II", 9000, 9000)
    head[24:32] = struct.pack(">II", 9000, 9000)
    with pytest.raises(ValueError, match="more than 100 times as much as a file of its size"):
        decode(bytes(head), GREY, VIEW)


@pytest.mark.parametrize("kind", [b"P5 16 16 255\n", b"P5 16 16 65535\n", b"P4 16 16\n"])
def test_a_portable_map_holds_one_image(kind: bytes) -> None:
    size = {b"P4": 32}.get(kind[:2], 512 if b"65535" in kind else 256)
    one = kind + DEEP.tobytes()[:size]
    shown = decode(one + b"\n", GREY, VIEW)
    assert (decode(one, GREY, VIEW) == shown).all()
    assert (decode(one + one, GREY) == decode(one, GREY)).all()  # of photographs the first counts
    with pytest.raises(ValueError, match="several images"):
        decode(one + one, GREY, VIEW)
    with pytest.raises(ValueError, match="several images"):
        decode(b"P2 1 1 9 4 5", (1, 1, 1), VIEW)


def big_endian(file: FileDataset) -> bytes:
    bare = Dataset()  # of no byte order yet
    bare.update(file)
    bare.file_meta = file.file_meta
    bare.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    return written(bare)


def test_a_big_endian_palette_has_its_own_colours() -> None:
    tables = DEEP.reshape(-1, 3)
    order = np.argsort(BYTES, axis=None).reshape(SIDE, SIDE).astype(np.uint8)
    for swapped in (False, True):
        file = dicom(order, "PALETTE COLOR")
        for number, colour in enumerate(("Red", "Green", "Blue")):
            setattr(file, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            words = tables[:, number].astype(">u2" if swapped else "<u2").tobytes()
            setattr(file, f"{colour}PaletteColorLookupTableData", words)
        shown = decode(big_endian(file) if swapped else written(file), COLOUR, VIEW)
        assert (shown == np.round(tables[order] / 65535 * 255).transpose(2, 0, 1)).all()


def test_a_big_endian_table_of_bytes_has_its_own_order() -> None:
    entries = RNG.permutation(256).astype(np.uint8)
    for swapped in (False, True):
        item = Dataset()
        item.LUTDescriptor = [256, 0, 8]
        item.add_new(
            "LUTData", "OW", (entries.view("<u2").byteswap() if swapped else entries).tobytes()
        )
        file = dicom(BYTES, VOILUTSequence=[item])
        shown = decode(big_endian(file) if swapped else written(file), GREY, VIEW)
        assert (shown[0] == entries[BYTES]).all()


@pytest.mark.parametrize("frames", [None, 0, 1])
def test_a_dicom_file_holds_the_frames_that_it_says(frames: int | None) -> None:
    file = dicom(np.stack([BYTES, BYTES]))
    file.NumberOfFrames = frames
    with pytest.raises(ValueError, match="holds more images than it says"):
        decode(written(file), GREY, VIEW)
    stream = io.BytesIO()
    Image.fromarray(BYTES).save(stream, "JPEG")
    one = stream.getvalue() + b"\0" * (stream.tell() % 2)
    file.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    file.PixelData = encapsulate([one, one])
    file["PixelData"].is_undefined_length = True
    with pytest.raises(ValueError, match="holds more images than it says"):
        decode(written(file), GREY, VIEW)


def test_a_dicom_file_without_its_meta_header_is_read() -> None:
    values = DEEP[..., 0]
    for whole in (written(dicom(values)), big_endian(dicom(values.byteswap()))):
        start = min(
            found
            for tag in (b"\x08\0\x16\0UI", b"\0\x08\0\x16UI")
            if (found := whole.find(tag)) > 0
        )
        bare = bytes(128) + b"DICM" + whole[start:]
        assert (decode(bare, GREY, VIEW)[0] == spanned(values)).all()
        with pytest.raises(ValueError, match="without its meta header"):
            decode(bare[:-9], GREY, VIEW)
        with pytest.raises(ValueError, match="pixel data that are cut short: 503 bytes of 512"):
            decode(whole[:-9], GREY, VIEW)


def test_colours_need_no_planar_configuration_and_lose_what_is_above_them() -> None:
    file = dicom(DEEP, "RGB", BitsStored=12, HighBit=11)
    del file.PlanarConfiguration
    expected = np.round((DEEP & 4095) / 4095 * 255).transpose(2, 0, 1)
    assert (decode(written(file), COLOUR, VIEW) == expected).all()


def test_a_window_that_leaves_nothing_is_reported(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "a.dcm").write_bytes(written(dicom(DEEP[..., 0] >> 4)))
    found = load_cohort(tmp_path, GREY, ("A",), reading=Reading(window="90000/10"))
    assert [row["how"] for row in found.images.value_ranges] == [CHOSEN_WINDOW]
    (finding,) = check_images(found.images)
    assert finding.level == "warning"
    assert "1 of 1 images have one value in all pixels" in finding.message
