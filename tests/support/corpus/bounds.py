"""Pictures and DICOM files that ask for work without end, and odd ones that are in order."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from corpus import Case
from corpus.pictures import chunk, saved, tiff
from corpus.scans import dicom, inside, ramp
from dicoms import written

SIZE = (12, 10)
ELEMENT = struct.pack("<HH2sH", 0x0029, 0x1010, b"LO", 0)
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)


def cases(rng: np.random.Generator) -> Iterator[Case]:
    for name, data in endless(rng).items():
        yield Case(f"pictures/endless-{name}", data, "refused")
    for name, data in odd(rng).items():
        yield Case(f"pictures/odd-{name}", data, "read")
    for name, data in maps_that_lie().items():
        yield Case(f"pictures/map-{name}.png", data, "refused")
    for name, data in endless_scans(rng).items():
        yield Case(f"scans/endless-{name}.dcm", data, "refused")
    for name, data in odd_scans(rng).items():
        yield Case(f"scans/odd-{name}.dcm", data, "read")
    for name, data in wrong_scans().items():
        yield Case(f"scans/wrong-{name}.dcm", data, "refused")


def grey(rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, SIZE[::-1], dtype=np.uint8))


def scans(side: int, more: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = saved(Image.new("L", (side, side), 99), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * more + data[-2:]


def jpeg2000(rng: np.random.Generator, **settings: object) -> bytes:
    return saved(grey(rng), "JPEG2000", no_jp2=True, **settings)


def changed(data: bytes, marker: bytes, place: int, value: bytes) -> bytes:
    """The same with some bytes of a marker segment replaced."""
    start = data.index(marker) + place
    return data[:start] + value + data[start + len(value) :]


def endless(rng: np.random.Generator) -> dict[str, bytes]:
    good, codes = saved(grey(rng), "PNG"), jpeg2000(rng)
    gif, photo = saved(Image.new("P", SIZE), "GIF"), saved(grey(rng), "JPEG")
    start = gif.index(b"\x2c")
    size, style = b"\xff\x51", b"\xff\x52"
    exif = b"II*\0\x08\0\0\0" + struct.pack("<H", 12_000)
    exif += b"".join(struct.pack("<HHII", n, 7, 100_000, 8) for n in range(12_000))
    strips = {256: (4, 12), 257: (4, 10), 273: (4, 8), 279: (4, 8)}
    return {
        "scans.jpg": scans(2_048, 400),
        "segments.jpg": photo[:2] + b"\xff\xe5\0\2" * 9_000 + photo[2:],
        "chunks.png": good[:33] + chunk(b"tiMe", b"") * 80_000 + good[33:],
        "exif.png": good[:33] + chunk(b"eXIf", exif) + good[33:],
        "blocks-gif.png": gif[:start] + b"\x21\xff" + b"\1\0" * 140_000 + b"\0" + gif[start:],
        "delta.bmp": bitmap(80_000_000, 1, b"\0\2\xff\xff" * 4 + b"\0\1"),
        "runs.bmp": bitmap(1_000, 1_000, b"\1\5" * 200_000),
        "tags.tif": b"II*\0" + struct.pack("<IH", 8, 5_000) + bytes(12 * 5_000 + 4),
        "scans.tif": scans_in_tiff(2_048, 400),
        "strips.tif": tiff(strips, count=600_000) + bytes(100),
        "tiles-j2k.png": changed(codes, size, 22, struct.pack(">II", 1, 1)).replace(
            struct.pack(">II", *SIZE), struct.pack(">II", 4_000, 4_000), 1
        ),
        "components-j2k.png": changed(codes, size, 38, struct.pack(">H", 16_384)),
        "layers-j2k.png": changed(codes, style, 6, struct.pack(">H", 65_535)).replace(
            b"\xff\x52\0\x0c\0", b"\xff\x52\0\x0c\1"
        ),
        "blocks-j2k.png": changed(codes, style, 10, b"\0\0"),
    }


def scans_in_tiff(side: int, more: int) -> bytes:
    data = scans(side, more)
    tags = {256: side, 257: side, 258: 8, 259: 7, 262: 1, 273: 8 + 2 + 12 * 9 + 4, 277: 1}
    return tiff({n: (4, v) for n, v in (tags | {278: side, 279: len(data)}).items()}) + data


def bitmap(width: int, height: int, runs: bytes) -> bytes:
    """A BMP of run lengths."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + head + bytes(1024) + runs


def odd(rng: np.random.Generator) -> dict[str, bytes]:
    values = rng.integers(0, 4_096, SIZE[::-1], dtype=np.uint16)
    text = b" ".join(b"%d" % value for value in values.ravel())
    return {
        "scans.jpg": scans(64, 30),
        "runs.bmp": bitmap(*SIZE, b"\x0c\5\0\0" * 10 + b"\0\1"),
        "map.png": b"P5 12 10 255\n" + bytes(120),
        "map-comment.png": b"P5\n# by hand\n12 # wide\n10\n255\n" + bytes(120),
        "map-deep.png": b"P5 12 10 4095\n" + values.astype(">u2").tobytes(),
        "map-little.png": b"P5 12 10 7\n" + (values % 8).astype(np.uint8).tobytes(),
        "map-colour.png": b"P6 12 10 255\n" + bytes(360),
        "map-text.png": b"P2 12 10 4095\n" + text,
        "map-bits.png": b"P4 12 10\n" + bytes(20),
        "map-long.png": b"P5 12 10 255\n" + bytes(500),
        "twelve.png": saved(Image.fromarray(values), "PNG"),
        "twelve.tif": saved(Image.fromarray(values), "TIFF"),
        "twelve-j2k.png": saved(Image.fromarray(values), "JPEG2000"),
        "one-value.png": saved(Image.fromarray(np.full_like(values, 3)), "PNG"),
        "layers-j2k.png": jpeg2000(rng, quality_layers=[20, 10, 1]),
        "codestream.jpg": jpeg2000(rng),
    }


def maps_that_lie() -> dict[str, bytes]:
    return {
        "cut": b"P5 12 10 255\n" + bytes(119),
        "nothing": b"P5 0 10 255\n",
        "huge": b"P5 99999 99999 255\n" + bytes(9),
        "huge-text": b"P2 9999 9999 255\n" + b"1 " * 40,
        "above": b"P5 12 10 100\n" + bytes(119) + b"\xff",
        "above-deep": b"P5 12 10 4095\n" + bytes(238) + b"\xff\xff",
        "white": b"P5 12 10 0\n" + bytes(120),
        "whiter": b"P5 12 10 65536\n" + bytes(480),
        "negative": b"P5 -12 10 255\n" + bytes(120),
        "word": b"P2 2 1 255\n1 x",
        "minus": b"P2 2 1 255\n1 -1",
        "plain-bits": b"P1 2 1 1 0",
        "floats": b"Pf\n2 1\n-1.0\n" + bytes(8),
        "head": b"P5 ",
        "comments": b"P5 " + b"#\n" * 40_000,
    }


def endless_scans(rng: np.random.Generator) -> dict[str, bytes]:
    grey_file = written(ramp())
    place = grey_file.index(struct.pack("<HH", 0x7FE0, 0x10))

    def before_pixels(more: bytes) -> bytes:
        return grey_file[:place] + more + grey_file[place:]

    groups = struct.pack("<HH2sHI", 0x5200, 0x9230, b"SQ", 0, 8 * 100_000) + ITEM * 100_000
    large = dicom(np.zeros((2, 2), np.uint8))
    large.Rows = large.Columns = 2_048
    large.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data = scans(2_048, 400)
    large.PixelData = encapsulate([data + b"\0" * (len(data) % 2)])
    large["PixelData"].is_undefined_length = True
    codes = changed(jpeg2000(rng), b"\xff\x52", 10, b"\0\0")
    return {
        "tags": before_pixels(ELEMENT * 140_000),
        "groups": before_pixels(groups),
        "pieces": written(pieces(70_000)),
        "scans": written(large),
        "blocks": written(inside(JPEG2000Lossless, codes)),
    }


def pieces(n: int) -> FileDataset:
    file = ramp()
    file.file_meta.TransferSyntaxUID = RLELossless
    file.PixelData = encapsulate([b"ab"]) + b"\xfe\xff\0\xe0\2\0\0\0ab" * n
    file["PixelData"].is_undefined_length = True
    return file


def runs(planes: list[bytes], n: int | None = None) -> FileDataset:
    """A file of run lengths, with a head that may lie."""
    starts = [64 + sum(map(len, planes[:k])) for k in range(len(planes))]
    head = struct.pack("<16I", len(planes) if n is None else n, *starts, *[0] * (15 - len(planes)))
    return inside(RLELossless, head + b"".join(planes))


def group(name: str, **tags: object) -> Dataset:
    macro, found = Dataset(), Dataset()
    for tag, value in tags.items():
        setattr(macro, tag, value)
    setattr(found, name, [macro])
    return found


def odd_scans(rng: np.random.Generator) -> dict[str, bytes]:
    deep = rng.integers(0, 4_096, SIZE[::-1], dtype=np.uint16)
    shared, own = dicom(deep), dicom(np.stack([deep, deep]))
    shared.SharedFunctionalGroupsSequence = [
        group("PixelValueTransformationSequence", RescaleSlope=2, RescaleIntercept=-9)
    ]
    own.PerFrameFunctionalGroupsSequence = [
        group("FrameVOILUTSequence", WindowCenter=c, WindowWidth=99) for c in (900, 40)
    ]
    empty, whole = dicom(deep), written(dicom(deep))
    for name in (
        "WindowCenter",
        "WindowWidth",
        "RescaleSlope",
        "RescaleIntercept",
        "VOILUTFunction",
    ):
        setattr(empty, name, None)
    padded = dicom(deep)
    padded.add_new("PixelPaddingValue", "SS", -1)  # as unsigned values count, 65,535
    start = whole.index(b"\x08\0\x16\0UI")
    return {
        "shared": written(shared),
        "own": written(own),
        "empty": written(empty),
        "padded": written(padded),
        "bare": whole[start:],
        "without-preamble": whole[132:],
        "wide": written(dicom(deep.astype(np.uint32))),
        "runs-of-all": written(runs([b"\x89\5" + b"\0\1" * 200])),
        "one-bit": one_bit(),
    }


def one_bit() -> bytes:
    file = ramp()
    file.BitsAllocated = file.BitsStored = 1
    file.HighBit = 0
    file.PixelData = bytes(range(15)) + b"\0"
    return written(file)


def wrong_scans() -> dict[str, bytes]:
    whole = written(ramp("uint16"))
    start = whole.index(b"\x08\0\x16\0UI")
    few, function, high, only = (ramp("uint16") for _ in range(4))
    frames = dicom(np.zeros((2, 10, 12), np.uint8))
    frames.PerFrameFunctionalGroupsSequence = [group("FrameVOILUTSequence", WindowCenter=1)]
    few.WindowCenter, few.WindowWidth = 40, 400
    function.WindowCenter, function.WindowWidth, function.VOILUTFunction = 40, 400, "CUBIC"
    high.BitsStored, high.HighBit = 12, 40
    only.PixelData = bytes(240)
    only.add_new("PixelPaddingValue", "US", 0)
    comma = written(few).replace(b"400.0 ", b"400,0 ")
    return {
        "bare-cut": whole[start:-20],
        "bare-tags": whole[start : start + 90],
        "groups": written(frames),
        "function": written(function),
        "high": written(high),
        "only-padding": written(only),
        "comma": comma,
        "runs-short": written(runs([b"\x8a\5"])),
        "runs-two": written(runs([b"\x89\5", b"\x89\5"])),
        "runs-many": written(runs([b"\x89\5"], n=4_000_000_000)),
        "runs-none": written(runs([], n=0)),
        "packed": zlib.compress(whole),
    }
