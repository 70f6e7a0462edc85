"""Zip and tar archives: damaged, encrypted, with names and links that lead elsewhere, and bombs."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator

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


def entry(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    item = tarfile.TarInfo(name)
    item.type, item.linkname = kind, link
    return item


def cases(rng: np.random.Generator) -> Iterator[Case]:
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


def unusual(good: Files) -> Files:
    """Archives whose good files are used, whatever else is in them."""
    odd = {
        "x/../../../etc/a.png": b"x",
        "/etc/b.png": b"x",
        "C:\\c.png": b"x",
        "x/dark/\x1b[2J.png": b"x",
    }
    odd |= {"x/dark/" + "n" * 60_000 + ".png": b"x"}
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
        "duplicates.tar": tarred(good)[: -10_240 + 1_024 * 0] + tarred(good),
        "broken-members.zip": zipped({n.replace("/0", "/9"): b"x" for n in good} | good),
        "member-bomb.zip": member_bomb(good),
    }


def member_bomb(good: Files) -> bytes:
    """A member that unpacks to 400 MiB, after good ones."""
    import zlib

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


def header(name: str, size: bytes, kind: bytes = b"0") -> bytes:
    """A tar header whose size is written as given, with the right check sum."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    block[124:136] = size.ljust(12, b"\0")
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def binary(size: int) -> bytes:
    """A size in GNU's binary numbers."""
    first = b"\xff" if size < 0 else b"\x80"
    return first + (size % 256**11).to_bytes(11, "big")


def broken(good: Files, tar: bytes) -> Files:
    pax = b"30 size=-1024\n".ljust(512, b"\0")
    zeros: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzipped,
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }
    found = {
        f"bomb.tar.{kind}": pack(header("x/dark/a.png", binary(8 * 2**30)) + tar)
        + pack(bytes(8 * MIB)) * 64
        for kind, pack in zeros.items()
    }
    found |= {
        f"name-bomb-{kind.decode()}.tar.gz": gzipped(header("x", binary(2**30), kind))
        + gzipped(bytes(16 * MIB)) * 64
        for kind in (b"L", b"K", b"x", b"g")
    }
    found |= {
        f"size-{n}.tar": header("x/dark/a.png", binary(n)) + tar
        for n in (-512, -1_024, -(2**60), 2**60, 2**40)
    }
    found |= {f"name-size-{n}.tar": header("x", binary(n), b"L") + tar for n in (-512, 2**50)}
    sparse = bytearray(header("x/dark/a.png", b"00000000000", tarfile.GNUTYPE_SPARSE))
    sparse[482] = 1
    return found | {
        "pax-negative.tar": header("x", b"%011o" % len(pax.rstrip(b"\0")), b"x") + pax + tar,
        "sparse-cut.tar": bytes(sparse),
        "empty.zip": b"",
        "empty.tar": b"",
        "empty.tar.gz": b"",
        "no-files.zip": zipped({}),
        "no-files.tar": tarred({}),
        "no-images.zip": zipped({"readme.txt": b"x"}),
        "all-broken.zip": zipped(dict.fromkeys(good, b"x")),
        "all-broken.tar.gz": gzipped(tarred(dict.fromkeys(good, b"x"))),
        "zip-named.tar": zipped(good),
        "tar-named.zip": tar,
        "png-named.zip": good[NAMES[0]],
        "many-claims.zip": zipped(good)[:-22]
        + b"PK\5\6"
        + struct.pack("<HHHHIIH", 0, 0, 65_535, 65_535, 2**32 - 1, 2**32 - 1, 0),
        "xz-memory.tar.xz": lzma.compress(
            tar, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1_500 * MIB}]
        )
        if False
        else b"\xfd7zXZ\0" + bytes(60),
    }
