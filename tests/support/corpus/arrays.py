"""NumPy files: images with labels, damaged, with pickles, and claims of terabytes."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpus import Case, damaged

MARKER = "executed-by-a-pickle"
MIB = 2**20


class Payload:
    """What a pickle of it would do: leave a file in the working folder."""

    def __reduce__(self) -> Any:  # noqa: ANN401
        return Path.touch, (Path(MARKER),)


def npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npz(packed: bool = False, **arrays: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(stream, **arrays)
    return stream.getvalue()


def header(text: str) -> bytes:
    """A `.npy` file of a header alone, with a few bytes behind it."""
    data = text.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(data)) + data + bytes(64)


def claim(shape: str, kind: str = "|u1") -> bytes:
    return header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}")


def cases(rng: np.random.Generator) -> Iterator[Case]:
    images = rng.integers(0, 256, (4, 10, 12, 3), dtype=np.uint8)
    numbers = np.array([0, 1, 0, 1])
    names = np.array(["dark", "light"])
    yield from damaged("arrays", "plain.npz", npz(images=images, labels=numbers), rng)
    packed = npz(packed=True, images=images, labels=names[numbers], class_names=names)
    yield from damaged("arrays", "packed.npz", packed, rng)
    yield from damaged("photographs", "images.npy", npy(images), rng)
    yield from damaged("deltas", "delta.npy", npy(np.zeros((1, 3, 8, 8), np.float32)), rng)
    for name, labels in readable_labels(numbers, names).items():
        yield Case(f"arrays/labels-{name}.npz", npz(images=images, labels=labels), "read")
    for name, labels in broken_labels().items():
        yield Case(f"arrays/labels-{name}.npz", npz(images=images, labels=labels), "refused")
    for name, array in broken_images(images).items():
        yield Case(f"arrays/images-{name}.npz", npz(images=array, labels=numbers), "refused")
        yield Case(f"photographs/{name}.npy", npy(array), "refused")
        yield Case(f"deltas/{name}.npy", npy(array), "refused")
    for name, data in broken_files(images, numbers).items():
        yield Case(f"arrays/{name}.npz", data, "refused")
        yield Case(f"photographs/file-{name}.npy", data, "refused")
        yield Case(f"deltas/file-{name}.npy", data, "refused")
    for name, said in {
        "twice": names[[0, 0]],
        "other": np.array(["a", "b"]),
        "bare": np.array("d"),
    }.items():
        data = npz(images=images, labels=numbers, class_names=said)
        yield Case(f"arrays/names-{name}.npz", data, "refused")
    fortran = np.asfortranarray(images)
    yield Case("arrays/fortran.npz", npz(images=fortran, labels=numbers), "read")
    yield Case("photographs/fortran.npy", npy(fortran), "read")
    yield Case("photographs/big-endian.npy", npy((images / 255).astype(">f8")), "read")
    for name, value in {"nan": np.nan, "inf": np.inf}.items():
        array = np.full((1, 3, 8, 8), value, np.float32)
        yield Case(f"deltas/float-{name}.npy", npy(array), "refused")


def readable_labels(numbers: NDArray[Any], names: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {
        "one-hot": np.eye(2)[numbers],
        "column": numbers[:, None],
        "unsigned": numbers.astype(np.uint64),
        "names": names[numbers],
    }


def broken_labels() -> dict[str, NDArray[Any]]:
    return {
        "scalar": np.array(1),
        "none": np.zeros(0, int),
        "short": np.array([0, 1]),
        "negative": np.array([0, 1, -1, 0]),
        "high": np.array([0, 1, 2, 0]),
        "highest": np.array([0, 1, 2**63, 0], np.uint64),
        "float": np.array([0.0, 1.0, 0.5, 0.0]),
        "nan": np.full(4, np.nan),
        "complex": np.zeros(4, complex),
        "bytes": np.array([b"\xff dark"] * 4),
        "dates": np.zeros(4, "datetime64[s]"),
        "structured": np.zeros(4, [("a", "i4"), ("b", "f4")]),
        "two-hot": np.ones((4, 2)),
        "no-hot": np.zeros((4, 2)),
        "nan-hot": np.full((4, 2), np.nan),
        "cube": np.zeros((4, 2, 2), int),
        "unknown": np.array(["dark", "light", "dark", "\x1b[31m" + "x" * 900]),
        "objects": np.array([Payload()] * 4, object),
    }


def broken_images(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {
        "nan": np.full(images.shape, np.nan),
        "signed": images.astype(np.int8),
        "wide": images.astype(np.uint16),
        "beyond": images.astype(np.float32),
        "complex": images.astype(complex),
        "text": np.array(["a", "b"]),
        "structured": np.zeros(images.shape, [(f"field{n}", "f4") for n in range(40)]),
        "void": np.zeros(images.shape, "V3"),
        "scalar": np.array(7, np.uint8),
        "flat": np.zeros(4, np.uint8),
        "none": np.zeros((0, 10, 12, 3), np.uint8),
        "no-rows": np.zeros((4, 0, 12, 3), np.uint8),
        "no-columns": np.zeros((4, 10, 0, 3), np.float32),
        "channels": np.zeros((4, 10, 12, 5), np.uint8),
        "many-axes": np.zeros((1,) * 30, np.uint8),
        "objects": np.array([Payload()] * 4, object),
    }


def broken_files(images: NDArray[Any], numbers: NDArray[Any]) -> dict[str, bytes]:
    """No NumPy files, or such as claim more than there is."""
    return {
        "empty": b"",
        "text": b"no array",
        "terabytes": claim("(1099511627776, 10, 12, 3)"),
        "gigabytes": claim("(40000000, 10, 12, 3)"),
        "negative": claim("(-4, 10, 12, 3)"),
        "overflow": claim(f"({2**62}, {2**62}, {2**62})", "<f8"),
        "no-shape": claim("None"),
        "true-shape": claim("(True, 10)"),
        "strange-kind": claim("(4,)", "<q99"),
        "long-text": claim("(4,)", "<U999999999"),
        "code": claim("__import__('os').system('touch executed')"),
        "deep": claim("(" * 4_000 + ")" * 4_000),
        "escapes": claim("(4,)", "\\d\\w"),
        "long-header": header("{" + " " * 60_000 + "}"),
        "binary-header": header("\x00\x1b[31m\xff{" * 99),
        "old-python": header(
            "{'descr': '|u1', 'fortran_order': False, 'shape': (4L, 10L, 12L, 3L), "
        ),
        "version": b"\x93NUMPY\x09\x00" + bytes(80),
        "pickle": np.array([Payload()], object).dumps(),
        "other-arrays": npz(a=images, b=numbers),
        "no-arrays": npz(),
        "bomb": bomb("(4, 10000, 10000, 3)", 1_200 * MIB),
        "lying-member": bomb("(2000, 1000, 1000, 3)", 5 * MIB),
    }


def bomb(shape: str, size: int) -> bytes:
    """A `.npz` file with an array of `size` zeros in a thousandth of that."""
    first = claim(shape)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(first) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += (packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)) * (size // MIB)
    return zip_of("images.npy", packed + packer.flush(), len(first) + size)


def zip_of(name: str, packed: bytes, size: int) -> bytes:
    """A zip archive with a member whose deflated bytes and size are given."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), packed)
    data = bytearray(stream.getvalue())
    central = data.rindex(b"PK\1\2")
    for start, method, sizes in ((0, 8, 18), (central, 10, 20)):
        struct.pack_into("<H", data, start + method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<II", data, start + sizes, len(packed), size)
    return bytes(data)
