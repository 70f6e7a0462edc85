"""Pages, transparency and grey of 16 bits in ordinary image files."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoded_images import DEEP, GREY, VIEW, Values, stretch_to_range
from gradient_images import GRADIENT_SHAPE, gradient_image
from grey_files import MONO_SHAPE, MONO_SIDE, encode_image, grey_pixels, load_grey_files
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.data.files.decode import decode_image, decode_with_range
from straylight.data.photographs.load import load_natural
from straylight.data.value_ranges import SPAN, ValueRange


def test_case_27_pages_and_transparency_are_told(tmp_path: Path) -> None:
    first, second = (Image.fromarray(np.full((MONO_SIDE, MONO_SIDE), k, np.uint8)) for k in (9, 99))
    more = {"save_all": True, "append_images": [second]}
    half = np.full((MONO_SIDE, MONO_SIDE, 4), 255, np.uint8)
    half[:9, :, 3] = 0
    files = {f"{kind}.png": encode_image(first, kind, **more) for kind in ("TIFF", "GIF", "PNG")}
    files["WEBP.png"] = encode_image(first.convert("RGB"), "WEBP", lossless=True, **more)
    files["clear.png"] = encode_image(Image.fromarray(half), "PNG")
    files["good.png"] = encode_image(second, "PNG")
    found = load_grey_files(tmp_path, files)
    assert len(found) == 1
    reasons = {item.file: item.reason for item in found.images.skipped}
    assert "transparent" in reasons.pop("A/clear.png")
    assert len(reasons) == 4
    assert all("choose one with --reading frame=K" in reason for reason in reasons.values())
    chosen = load_cohort(tmp_path, MONO_SHAPE, ("A",), reading=Reading(frame=1))
    assert (grey_pixels(chosen) == 99).all()
    assert [item.file for item in chosen.images.skipped] == ["A/clear.png"]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey_alpha_png(grey: Values, alpha: Values) -> bytes:
    rows = np.stack([grey, alpha], -1).astype(">u2")
    head = struct.pack(">IIBBBBB", *grey.shape[::-1], 16, 4, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (png_chunk(b"IHDR", head), png_chunk(b"IDAT", body), png_chunk(b"IEND", b""))
    )


def test_grey_of_16_bits_with_alpha_is_grey_of_16_bits() -> None:
    values = DEEP[..., 0] >> 4
    opaque = np.full_like(values, 2**16 - 1)
    shown, told = decode_with_range(grey_alpha_png(values, opaque), GREY, VIEW)
    assert (shown[0] == stretch_to_range(values)).all()
    assert told == ValueRange(SPAN, values.min(), values.max())
    opaque[3, 3] -= 1
    with pytest.raises(ValueError, match="partly transparent"):
        decode_image(grey_alpha_png(values, opaque), GREY, VIEW)


def test_camera_orientation_is_obeyed(tmp_path: Path) -> None:
    image = Image.fromarray(np.tile(np.arange(10, dtype=np.uint8) * 20, (8, 1)))
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    image.save(tmp_path / "p.png", exif=exif)
    assert np.array_equal(
        decode_image((tmp_path / "p.png").read_bytes(), (1, 8, 10))[0],
        np.asarray(image)[::-1, ::-1],
    )


def test_a_decompression_bomb_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gradient_image().resize((40, 40)).save(tmp_path / "bomb.png")
    gradient_image().save(tmp_path / "good.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert [item.file for item in load_natural(tmp_path, GRADIENT_SHAPE).skipped] == ["bomb.png"]
