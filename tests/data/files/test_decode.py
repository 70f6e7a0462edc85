"""Every reader gives the pixels of an independent decoder, or refuses.

Images are written here byte by byte, or by tifffile and imageio, and are read back by Straylight; what
must come out follows from the values alone.
"""

import io
import struct
import zlib
from typing import Any

import imageio.v3 as imageio
import numpy as np
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from dicoms import dicom, written
from straylight.data.files.arrays import from_array
from straylight.data.files.decode import decode
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
    found = decode(data, (channels, *values.shape[:2]), view or DicomView())
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
    array = from_array(values[None], shape, "x", DicomView()).pixels[0].numpy()
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
        array = from_array(values[None], (1, *values.shape), "x", DicomView()).pixels[0, 0].numpy()
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
        array = from_array(values[None], (1, *values.shape), "x", view).pixels[0, 0].numpy()
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
