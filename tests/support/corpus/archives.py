"""Zip and tar archives: damaged, encrypted, with names and links that lead elsewhere, and bombs."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from corpus import Case, damaged
from corpus.arrays import MIB, zip_of
from corpus.pictures import saved

Files = dict[str, bytes]
NAMES = ["x/dark/0.png", "x/dark/1.png", "x/light/0.png", "x/light/1.png"]


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


def tarred(
    files: Files, *others: tarfile.TarInfo, mode: int = tarfile.GNU_FORMAT, first: bool = False
) -> bytes:
    """An archive of files and of entries without content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=mode) as archive:
        for item in others if first else ():
            archive.addfile(item)
        for name, data in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
        for item in () if first else others:
            archive.addfile(item)
    return stream.getvalue()


def blocks(data: bytes) -> int:
    """Bytes that a file takes in a tar archive."""
    return 512 * (1 - -len(data) // 512)


def entry(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    item = tarfile.TarInfo(name)
    item.type, item.linkname = kind, link
    return item


def cases(rng: np.random.Generator) -> Iterator[Case]:
    from corpus.lying_archives import broken

    good = {
        name: saved(Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)), "PNG")
        for name in NAMES
    }
    tar = tarred(good)
    goods = {
        "plain.zip": zipped(good),
        "stored.zip": zipped(good, zipfile.ZIP_STORED),
        "lzma.zip": zipped(good, zipfile.ZIP_LZMA),
        "plain.tar": tar,
        "pax.tar": tarred(
            {f"{'long/' * 30}{n}": d for n, d in good.items()}, mode=tarfile.PAX_FORMAT
        ),
        "plain.tar.gz": gzipped(tar),
        "plain.tar.bz2": bz2.compress(tar),
        "plain.tar.xz": lzma.compress(tar),
    }
    for name, data in goods.items():
        yield from damaged("archives", name, data, rng)
    for name, data in unusual(good).items():
        yield Case(f"archives/{name}", data, "read")
    for name, data in broken(good, tar).items():
        yield Case(f"archives/{name}", data, "refused")
        yield Case(f"shards/{name}", data, "any")  # its good neighbour's images remain
    yield from damaged("shards", "plain.tar", tar, rng)


def unusual(good: Files) -> Files:
    """Archives whose good files are used, whatever else is in them."""
    odd = {
        "x/../../../etc/a.png": b"x",
        "/etc/b.png": b"x",
        "C:\\c.png": b"x",
        "x/dark/\x1b[2J.png": b"x",
    }
    odd["x/dark/" + "n" * 60_000 + ".png"] = b"x"
    inner = {"x/dark/inner.zip": zipped(good), "x/light/inner.tar": tarred(good)}
    links = [
        entry("x/dark/a.png", tarfile.SYMTYPE, "/etc/passwd"),
        entry("x/dark/b.png", tarfile.LNKTYPE, "../../etc/passwd"),
        entry("x/dark/c.png", tarfile.LNKTYPE, "x/dark/c.png"),
        entry("x/dark/d.png", tarfile.CHRTYPE),
        entry("x/dark/e.png", tarfile.FIFOTYPE),
        entry("x/dark/f.png", tarfile.DIRTYPE),
    ]
    flagged = bytearray(zipped(good))
    flagged[flagged.index(b"PK\1\2") + 8] |= 1  # the flag of an encrypted member
    renamed = zipped(good).replace(b"x/dark/0.png", b"x/dark/9.png", 1)
    method = bytearray(zipped(good))
    struct.pack_into("<H", method, method.index(b"PK\1\2") + 10, 99)
    return {
        "names.zip": zipped(odd | {n.removeprefix("x/"): d for n, d in good.items()}),
        "names.tar": tarred(odd | {n.removeprefix("x/"): d for n, d in good.items()}),
        "nested.zip": zipped(good | inner),
        "nested.tar": tarred(good | inner),
        "links.tar": tarred(good, *links),
        "links-first.tar": tarred(good, *links, first=True),
        "encrypted.zip": bytes(flagged),
        "other-name.zip": renamed,
        "method.zip": bytes(method),
        "duplicates.tar": tarred(good)[: sum(map(blocks, good.values()))] + tarred(good),
        "duplicates.zip": join(zipped(good), zipped(good)),
        "broken-members.zip": zipped({n.replace("/0", "/9"): b"x" for n in good} | good),
        "member-bomb.zip": member_bomb(good),
    }


def member_bomb(good: Files) -> bytes:
    """A member that unpacks to 400 MiB, after good ones."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(good[NAMES[0]]) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += (packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)) * 400
    bomb = zip_of("x/dark/z.png", packed + packer.flush(), 400 * MIB + len(good[NAMES[0]]))
    rest = zipped(good)
    return join(bomb, rest)


def join(first: bytes, second: bytes) -> bytes:
    """Join two zip archives to one."""
    parts = []
    for data in (first, second):
        end = data.rindex(b"PK\5\6")
        count, _, start = struct.unpack_from("<HII", data, end + 10)
        parts.append((data[:start], data[start:end], count))
    shift = len(parts[0][0])
    directory = bytearray(parts[1][1])
    place = 0
    for _ in range(parts[1][2]):
        offset = struct.unpack_from("<I", directory, place + 42)[0]
        struct.pack_into("<I", directory, place + 42, offset + shift)
        place += 46 + sum(struct.unpack_from("<HHH", directory, place + 28))
    files, central = parts[0][0] + parts[1][0], parts[0][1] + bytes(directory)
    n = parts[0][2] + parts[1][2]
    return (
        files
        + central
        + b"PK\5\6"
        + struct.pack("<HHHHIIH", 0, 0, n, n, len(central), len(files), 0)
    )
