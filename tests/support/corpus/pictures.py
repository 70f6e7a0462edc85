"""Image files: every format and mode, damaged, and claims that no memory holds."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, PngImagePlugin

from corpus import Case, damaged

SIZE = (12, 10)
EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
showpage
%%EOF
"""


def saved(image: Image.Image, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def goods(rng: np.random.Generator) -> dict[str, bytes]:
    """Images as cameras, scanners and web sites write them."""
    rgb = Image.fromarray(rng.integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8))
    grey, more = rgb.convert("L"), [rgb.rotate(angle) for angle in (90, 180)]
    deep = Image.fromarray(rng.integers(0, 2**16, SIZE[::-1], dtype=np.uint16))
    turned = Image.Exif()
    turned[0x0112] = 6
    frames = {"save_all": True, "append_images": more}
    clear = rgb.convert("P")
    clear.info["transparency"] = 3
    return {
        "rgb.png": saved(rgb, "PNG"),
        "alpha.png": saved(rgb.convert("RGBA"), "PNG"),
        "palette.png": saved(clear, "PNG"),
        "deep.png": saved(deep, "PNG"),
        "animated.png": saved(rgb, "PNG", **frames),
        "grey.jpg": saved(grey, "JPEG"),
        "progressive.jpg": saved(rgb, "JPEG", progressive=True),
        "cmyk.jpeg": saved(rgb.convert("CMYK"), "JPEG"),
        "turned.jpg": saved(rgb, "JPEG", exif=turned),
        "lossy.webp": saved(rgb, "WEBP"),
        "animated.webp": saved(rgb, "WEBP", **frames),
        "animated-gif.png": saved(rgb, "GIF", **frames),
        "grey.bmp": saved(grey, "BMP"),
        "pages.tif": saved(rgb, "TIFF", **frames),
        "deep.tiff": saved(deep, "TIFF"),
        "lzw.tiff": saved(rgb, "TIFF", compression="tiff_lzw"),
        "deflated.tiff": saved(rgb, "TIFF", compression="tiff_adobe_deflate"),
        "jpeg.tiff": saved(rgb, "TIFF", compression="jpeg"),
    }


def cases(rng: np.random.Generator) -> Iterator[Case]:
    found = goods(rng)
    for name, data in found.items():
        yield from damaged("pictures", name, data, rng)
    for name, data in absurd(found, rng).items():
        yield Case(f"pictures/{name}", data, "refused")
    one = Image.new("RGB", (1, 1))
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP"):
        yield Case(f"pictures/one-pixel-{kind}.png", saved(one, kind), "read")
    long = Image.new("L", (60_000, 1))
    yield Case("pictures/long.png", saved(long, "PNG"), "read")
    yield Case("pictures/high.png", saved(long.transpose(Image.Transpose.ROTATE_90), "PNG"), "read")


def absurd(found: dict[str, bytes], rng: np.random.Generator) -> dict[str, bytes]:
    """Claims beyond all memory, other formats, and no image at all."""
    text = PngImagePlugin.PngInfo()
    for number in range(80):
        text.add_text(f"bomb{number}", "x" * 1_000_000, zip=True)
    single = Image.new("L", (1, 1))
    floating = Image.fromarray(rng.random(SIZE[::-1]).astype(np.float32))
    wide = Image.fromarray(rng.integers(0, 2**31, SIZE[::-1]).astype(np.int32))
    return {
        "claims.png": png_claim(60_000, 60_000),
        "claims-most.png": png_claim(2**31 - 1, 2**31 - 1),
        "claims.jpg": jpeg_claim(found["grey.jpg"], 60_000),
        "claims.bmp": found["grey.bmp"][:18] + struct.pack("<ii", 60_000, 60_000) + bytes(40),
        "claims.webp": webp_claim(16_383),
        "claims-gif.png": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(3),
        "claims.tif": tiff({256: (4, 60_000), 257: (4, 60_000), 273: (4, 8), 279: (4, 2**31)}),
        "no-tags.tif": tiff({}),
        "huge-count.tif": tiff({256: (4, 4), 257: (4, 4)}, count=2**32 - 1),
        "own-directory.tif": tiff({256: (4, 4), 257: (4, 4), 330: (4, 8)}),
        "strange-types.tif": tiff({256: (250, 4), 257: (0, 4), 258: (13, 9), 259: (16, 77)}),
        "compression.tif": tiff({256: (4, 4), 257: (4, 4), 259: (3, 31_337), 273: (4, 8)}),
        "text-bomb.png": saved(single, "PNG", pnginfo=text),
        "float.tif": saved(floating, "TIFF"),
        "wide.tif": saved(wide, "TIFF"),
        "postscript.png": EPS,
        "portable.png": b"P6 60000 60000 255\n",
        "photoshop.jpg": b"8BPS\0\1" + bytes(40),
        "random.jpg": rng.bytes(2_000),
        "text.png": b"no image",
        "html.jpg": b"<!doctype html><title>404</title>",
        "svg.png": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "zeros.tif": bytes(4_096),
        "zip.png": b"PK\3\4" + bytes(60),
    }


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claim(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def jpeg_claim(good: bytes, side: int) -> bytes:
    place = good.index(b"\xff\xc0") + 5
    return good[:place] + struct.pack(">HH", side, side) + good[place + 4 :]


def webp_claim(side: int) -> bytes:
    chunk = b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(20)
    body = b"WEBPVP8L" + struct.pack("<I", len(chunk)) + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(tags: dict[int, tuple[int, int]], count: int = 1) -> bytes:
    """A directory of tags: number to (type, value)."""
    entries = b"".join(struct.pack("<HHII", n, k, count, v) for n, (k, v) in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
