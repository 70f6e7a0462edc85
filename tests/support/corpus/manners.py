"""Tables and archives with the manners of data sets, and of their enemies: each read, or refused."""

import io
import struct
import zipfile
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from PIL import Image

from corpus import Case
from corpus.archives import Files, tarred, zipped
from corpus.pictures import saved
from corpus.tables import FILES, PLAIN, ROWS, packed

ONE_HOT = "image,dark,light\n" + "".join(f"{f},{int('d' in f)},{int('l' in f)}\n" for f, _ in ROWS)


def cases(rng: np.random.Generator) -> Iterator[Case]:
    for name, text in readable().items():
        yield Case(f"tables/m-{name}.csv", text.encode(), "read")
    for name, text in broken().items():
        yield Case(f"tables/m-{name}.csv", text.encode(), "refused")
    labels = [int("light" in file) for file in FILES]
    for name, column in {
        "floats": pa.array(labels, pa.float64()),
        "truths": pa.array(labels).cast(pa.bool_()),
        "bytes-of-one": pa.array(labels, pa.int8()),
    }.items():
        yield Case(f"tables/m-{name}.parquet", packed({"file": FILES, "label": column}), "read")
    good = {f"x/{file}": saved(_picture(rng), "PNG") for file in FILES}
    for name, data in archives(good).items():
        yield Case(f"archives/m-{name}", data, "read")
    for name, data in bombs(good).items():
        yield Case(f"archives/m-{name}", data, "refused")


def _picture(rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8))


def readable() -> dict[str, str]:
    numbered = PLAIN.replace(",dark\n", ",0\n").replace(",light\n", ",1\n")
    return {
        "semicolons": PLAIN.replace(",", ";"),
        "tabs": PLAIN.replace(",", "\t"),
        "capitals": PLAIN.replace("file,label", "FILE, Label"),
        "classes-in-capitals": PLAIN.replace(",dark\n", ",DARK\n"),
        "blanks": PLAIN.replace("\n", " \n"),
        "numbers": numbered,
        "floats": numbered.replace(",0\n", ",0.0\n").replace(",1\n", ",1.0\n"),
        "truths": numbered.replace(",0\n", ",False\n").replace(",1\n", ",True\n"),
        "one-hot": ONE_HOT,
        "one-hot-floats": ONE_HOT.replace(",0", ",0.0").replace(",1", ",1.0"),
        "one-hot-semicolons": ONE_HOT.replace(",", ";"),
        "ham": "lesion_id,image_id,dx\n" + "".join(f"1,{file},{label}\n" for file, label in ROWS),
        "nih": "Image Index,Finding Labels\n" + PLAIN.partition("\n")[2],
        "no-suffix": PLAIN.replace(".png", ""),
        "own-folder": PLAIN.replace("dark/", "good/dark/").replace("light/", "good/light/"),
    }


def broken() -> dict[str, str]:
    wide = "," * 2_000_000
    return {
        "several-fit": "file,label\n0.png,dark\nlight/0.png,light\n",
        "same-twice": "file,label\ndark/0.png,dark\ndark/0,dark\nlight/0.png,light\n",
        "two-columns-in-capitals": "File,FILE,label\ndark/0.png,dark/0.png,dark\n",
        "half-hot": ONE_HOT.replace(",1", ",0.5"),
        "no-hot": ONE_HOT.replace(",1", ",0"),
        "hot-words": ONE_HOT.replace(",1", ",yes"),
        "number-too-high": PLAIN.replace(",light\n", ",2\n").replace(",dark\n", ",1\n"),
        "numbers-and-names": PLAIN.replace(",light\n", ",1\n"),
        "negative": PLAIN.replace(",light\n", ",-1\n").replace(",dark\n", ",0\n"),
        "wide-head": f"file,label{wide}\ndark/0.png,dark\n",
        "wide-row": f"file,label\ndark/0.png,dark{wide}\nlight/0.png,light\n",
        "endless-row": "file,label\ndark/0.png,dark" + ',"\n"' * 300_000 + "\n",
        "endless-name": "file,label\n" + "d/" * 400_000 + "0.png,dark\n",
    }


def archives(good: Files) -> Files:
    more = {
        "x/dark/scan.nii": b"x",
        "x/light/README": b"x",
        "x/light/4711": b"",
        "x/@eaDir/a.png": b"x",
    }
    link = zipfile.ZipInfo("x/dark/link.png")
    link.external_attr = 0o120777 << 16
    stream = io.BytesIO(zipped(good))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    return {
        "others.zip": zipped(good | more),
        "others.tar": tarred(good | more),
        "link.zip": stream.getvalue(),
        "no-suffixes.zip": zipped({name.removesuffix(".png"): data for name, data in good.items()}),
    }


def bombs(good: Files) -> Files:
    """Small archives that unpack to gigabytes, no member of which is too large itself."""
    data = bytearray(zipped(good))
    first = data.index(b"PK\1\2")
    second = data.index(b"PK\1\2", first + 4)
    struct.pack_into("<I", data, second + 42, struct.unpack_from("<I", data, first + 42)[0])
    zeros = {f"x/dark/z{number}.png": bytes(2**24) for number in range(40)}
    stream = io.BytesIO(zipped(zeros | good))
    return {"overlapping.zip": bytes(data), "many-zeros.zip": stream.getvalue()}
