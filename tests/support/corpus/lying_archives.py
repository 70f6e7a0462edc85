"""Archives that are refused: bombs, headers that lie, and no archives."""

import bz2
import lzma
import struct
import tarfile
from collections.abc import Callable

from corpus.archives import NAMES, Files, gzipped, tarred, zipped
from corpus.arrays import MIB


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
        "dictionary.tar.xz": b"\x5d" + struct.pack("<I", 2**31) + b"\xff" * 8 + bytes(600),
    }
