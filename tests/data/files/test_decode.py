"""Every reader gives the pixels of an independent decoder, or refuses.

Images are written here byte by byte, or by tifffile and imageio, and are read back by Straylight; what
must come out follows from the values alone.
"""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from dicoms import dicom, written
from gradient_images import GRADIENT_SHAPE, gradient_image
from grey_files import (
    FULL,
    MONO_SHAPE,
    MONO_SIDE,
    MONO_VALUES,
    encode_image,
    grey_pixels,
    load_grey_files,
)
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.data.files.arrays import image_set_from_array
from straylight.data.files.decode import decode_image
from straylight.data.files.dicom import DicomView

Values = NDArray[Any]
SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))
BYTES = arrays.arrays(np.uint8, SIDES)
DEEP = st.integers(9, 16).flatmap(
    lambda bits: arrays.arrays(np.uint16, SIDES, elements=st.integers(0, 2**bits - 1))
)
SIGNED = arrays.arrays(np.int16, SIDES) | arrays.arrays(np.int8, SIDES)
COLOURS = SIDES.flatmap(lambda sides: arrays.arrays(np.uint8, (*sides, 3)))
FEW = settings(max_examples=40)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values: Values) -> bytes:
    """PNG without filters, as the standard has it."""
    height, width = values.shape[:2]
    depth, colour = 8 * values.dtype.itemsize, 2 if values.ndim == 3 else 0
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in values)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def portable(values: Values, most: int) -> bytes:
    height, width = values.shape[:2]
    kind = b"P6" if values.ndim == 3 else b"P5"
    body = values.astype(">u2" if most > 255 else "u1").tobytes()
    return kind + b" %d %d %d\n" % (width, height, most) + body


def tiff(values: Values, **settings: object) -> bytes:
    stream = io.BytesIO()
    kind = "rgb" if values.ndim == 3 else "minisblack"
    tifffile.imwrite(stream, values, **({"photometric": kind} | settings))
    return stream.getvalue()


def scan(values: Values) -> bytes:
    """DICOM, whose pixels have an even number of bytes."""
    file = dicom(values)
    file.PixelData += b"\0" * (values.nbytes % 2)
    return written(file)


def shown(data: bytes, values: Values, view: DicomView | None = None) -> Values:
    """What Straylight makes of a file, at its own size."""
    channels = 3 if values.ndim == 3 else 1
    found = decode_image(data, (channels, *values.shape[:2]), view or DicomView())
    return found.transpose(1, 2, 0) if channels == 3 else found[0]


def spread(values: Values) -> NDArray[np.float64]:
    """Least to greatest, unrounded; one value is black."""
    least, greatest = int(values.min()), int(values.max())
    return (values.astype(float) - least) * (255 / max(greatest - least, 1))


def windowed(values: Values, centre: float, width: float) -> NDArray[np.float64]:
    """PS3.3 C.11.2.1.2.1."""
    low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    between = 255 * ((values - (centre - 0.5)) / max(width - 1, 1) + 0.5)
    return np.where(values <= low, 0, np.where(values > high, 255, between))


def near(found: Values, expected: Values) -> bool:
    return bool(np.abs(found - expected).max() <= 0.502)


@given(values=BYTES | COLOURS)
@FEW
def test_bytes_are_taken_as_they_are(values: Values) -> None:
    kind = "RGB" if values.ndim == 3 else "MONOCHROME2"
    written_by_imageio = imageio.imwrite("<bytes>", values, extension=".bmp")
    for data in (
        png(values),
        portable(values, 255),
        tiff(values),
        tiff(values, byteorder=">"),
        written(dicom(values, kind)) if values.size % 2 == 0 else png(values),
        bytes(written_by_imageio),
    ):
        assert np.array_equal(shown(data, values), values)
    shape = (3 if values.ndim == 3 else 1, *values.shape[:2])
    array = image_set_from_array(values[None], shape, "x", DicomView()).pixels[0].numpy()
    assert np.array_equal(array.transpose(1, 2, 0).reshape(values.shape), values)


@given(values=DEEP | SIGNED)
@FEW
def test_deep_greys_go_from_the_least_to_the_greatest(values: Values) -> None:
    files = [tiff(values), tiff(values, byteorder=">"), scan(values)]
    if values.dtype == np.uint16:
        files += [png(values), portable(values, 65535)]
        white = 255 - shown(tiff(values, photometric="miniswhite"), values).astype(float)
        assert near(white, spread(values))
    for data in files:
        assert near(shown(data, values), spread(values))
    if values.dtype.itemsize == 2:
        array = (
            image_set_from_array(values[None], (1, *values.shape), "x", DicomView())
            .pixels[0, 0]
            .numpy()
        )
        assert near(array, spread(values))


@given(values=DEEP | SIGNED, centre=st.integers(-9999, 9999), width=st.integers(1, 9999))
@FEW
def test_a_chosen_window_is_the_formula_in_every_container(
    values: Values, centre: int, width: int
) -> None:
    view = DicomView(window=f"{centre}/{width}")
    files = [tiff(values), scan(values)]
    if values.dtype == np.uint16:
        files += [png(values), portable(values, 65535)]
    for data in files:
        assert near(shown(data, values, view), windowed(values, centre, width))
    if values.dtype.itemsize == 2:
        array = (
            image_set_from_array(values[None], (1, *values.shape), "x", view).pixels[0, 0].numpy()
        )
        assert near(array, windowed(values, centre, width))


@given(
    values=DEEP, cut=st.integers(0, 200), flips=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 7)))
)  # fmt: skip
@FEW
def test_damage_is_refused_or_gives_a_picture(
    values: Values, cut: int, flips: list[tuple[int, int]]
) -> None:
    """Never another error, whatever is broken."""
    for data in (png(values), tiff(values), portable(values, 65535), written(dicom(values))):
        broken = bytearray(data)
        for place, bit in flips:
            broken[place % len(broken)] ^= 1 << bit
        found = or_reason(bytes(broken[: len(broken) - cut]), values)
        assert found.isprintable() if isinstance(found, str) else found.shape == values.shape


def or_reason(data: bytes, values: Values) -> Values | str:
    try:
        return shown(data, values)
    except ValueError as error:
        return str(error)


def test_case_07_values_of_12_bits_are_the_same_in_every_container(tmp_path: Path) -> None:
    image = Image.fromarray(MONO_VALUES)
    portable = b"P5 %d %d 4095\n" % (MONO_SIDE, MONO_SIDE) + MONO_VALUES.astype(">u2").tobytes()
    files = {
        "a.dcm": written(dicom(MONO_VALUES, **FULL)),
        "b.png": encode_image(image, "PNG"),
        "c.tif": encode_image(image, "TIFF"),
        "d.tiff": encode_image(image, "TIFF", compression="tiff_lzw"),
        "e.png": portable,
        "f.png": encode_image(image, "JPEG2000"),
    }
    for folder, window in (("plain", ""), ("window", "2000/1500")):
        (tmp_path / folder).mkdir()
        found = load_grey_files(tmp_path / folder, files, window=window)
        assert len(found) == len(files)
        assert (grey_pixels(found) == grey_pixels(found)[0]).all()
        np.savez(tmp_path / "x.npz", images=MONO_VALUES[None], labels=np.zeros(1, int))
        array = load_cohort(tmp_path / "x.npz", MONO_SHAPE, ("A",), reading=Reading(window=window))
        assert (grey_pixels(array)[0] == grey_pixels(found)[0]).all()
    full = (
        np.linspace(0, 65535, MONO_SIDE * MONO_SIDE).astype(np.uint16).reshape(MONO_SIDE, MONO_SIDE)
    )
    (tmp_path / "full").mkdir()
    shown = grey_pixels(
        load_grey_files(tmp_path / "full", {"a.png": encode_image(Image.fromarray(full), "PNG")})
    ).astype(int)
    assert np.abs(shown - (full >> 8)).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "jpg", "JPEG"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    lossless = {"lossless": True} if suffix == "webp" else {"quality": 100, "subsampling": 0}
    gradient_image().save(path, **lossless)
    expected = np.asarray(gradient_image()).transpose(2, 0, 1)
    worst = np.abs(decode_image(path.read_bytes(), GRADIENT_SHAPE).astype(int) - expected).max()
    assert worst <= (4 if suffix in ("jpg", "JPEG") else 0)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_every_mode_becomes_rgb_and_grey(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((8, 10), 128 * 256, dtype=np.uint16))
    else:
        image = Image.new("L", (10, 8), 255 if mode == "1" else 128).convert(mode)
    path = tmp_path / ("photo.tiff" if mode in ("CMYK", "I;16") else "photo.png")
    image.save(path)
    level = 255 if mode == "1" else 128
    for channels in (1, 3):
        pixels = decode_image(path.read_bytes(), (channels, 8, 10))
        assert pixels.shape == (channels, 8, 10)
        assert np.abs(pixels.astype(int) - level).max() <= 1


def test_grey_of_colour_is_luminance(tmp_path: Path) -> None:
    Image.new("RGB", (10, 8), (200, 100, 50)).save(tmp_path / "p.png")
    expected = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert (
        abs(int(decode_image((tmp_path / "p.png").read_bytes(), (1, 8, 10))[0, 0, 0]) - expected)
        <= 1
    )
