"""Images with several findings: as columns of zeros and ones, and as lists in tables."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from corpus import Case, damaged
from corpus.arrays import npz
from corpus.tables import FILES, packed

COLUMNS = np.array(["dark", "light"])
LISTS = [["dark"], ["light"], [], ["dark", "light"], ["light"], ["dark"]]
PLAIN = "file,label\n" + "".join(
    f"{file},{'|'.join(found)}\n" for file, found in zip(FILES, LISTS, strict=True)
)


def cases(rng: np.random.Generator) -> Iterator[Case]:
    images = rng.integers(0, 256, (4, 10, 12, 3), dtype=np.uint8)
    hot = np.array([[1, 0], [0, 1], [0, 0], [1, 1]])
    good = npz(images=images, labels=hot, class_names=COLUMNS)
    yield from damaged("findings", "columns.npz", good, rng)
    for kind in (bool, np.uint8, np.float32):
        data = npz(images=images, labels=hot.astype(kind), class_names=COLUMNS)
        yield Case(f"findings/columns-{np.dtype(kind).name}.npz", data, "read")
    for name, labels in broken_columns(hot).items():
        data = npz(images=images, labels=labels, class_names=COLUMNS)
        yield Case(f"findings/columns-{name}.npz", data, "refused")
    for name, names in {
        "twice": COLUMNS[[0, 0]],
        "more": np.array(["dark", "light", "\x1b[31m"]),
        "others": np.array(["a", "x" * 9_000]),
        "numbers": np.arange(2),
    }.items():
        data = npz(images=images, labels=hot, class_names=names)
        yield Case(f"findings/names-{name}.npz", data, "refused")
    yield from tables(rng)


def broken_columns(hot: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
    return {
        "two": hot * 2,
        "negative": -hot,
        "half": hot / 2,
        "nan": np.full((4, 2), np.nan),
        "complex": hot * 1j,
        "texts": hot.astype(str),
        "bytes": hot.astype(bytes),
        "dates": hot.astype("datetime64[s]"),
        "structured": np.zeros((4, 2), [("a", "i4"), ("b", "f4")]),
        "cube": np.zeros((4, 2, 2), int),
        "none": np.zeros((4, 0), int),
        "wide": np.zeros((4, 10_000), int),
        "short": hot[:3],
        "no-rows": hot[:0],
        "everywhere-both": np.ones((4, 2), int),
    }


def tables(rng: np.random.Generator) -> Iterator[Case]:
    good = packed({"file": FILES, "label": LISTS})
    yield from damaged("findings", "lists.parquet", good, rng)
    yield from damaged("findings", "lists.csv", PLAIN.encode(), rng)
    large = pa.array(LISTS, pa.large_list(pa.large_string()))
    holes = pa.array([*LISTS[:4], None, ["dark", None]], pa.list_(pa.string()))
    for name, lists in {"large": large, "holes": holes}.items():
        yield Case(f"findings/{name}.parquet", packed({"file": FILES, "label": lists}), "read")
    for name, label in broken_lists().items():
        yield Case(f"findings/{name}.parquet", packed({"file": FILES, "label": label}), "refused")
    files = packed({"file": [[file] for file in FILES], "label": LISTS})
    yield Case("findings/files-in-lists.parquet", files, "refused")
    for name, label in {
        "both": "dark|No Finding",
        "unknown": "dark|\N{BULLET}" + "x" * 900,
        "many": "|".join(f"finding{n}" for n in range(300)),
        "long": "dark|" * 4_000,
        "escape": "dark|\x1b[2J",
    }.items():
        yield Case(f"findings/{name}.csv", f"{PLAIN}none.png,{label}\n".encode(), "refused")


def broken_lists() -> dict[str, pa.Array]:
    """Lists of what is no text, and lists that are large where their file is small."""
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_200_000, np.int32)), ["dark"])
    ends = pa.array([0, *[1] * 5, 1_200_000], pa.int32())
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(900_000, np.int32)), ["x" * 4_000])
    return {
        "numbers": pa.array([[1]] * 6),
        "deeper": pa.array([[["dark"]]] * 6),
        "bytes": pa.array([[b"dark"]] * 6),
        "structs": pa.array([[{"a": "dark"}]] * 6),
        "nothing": pa.array([[]] * 6),
        "bomb-values": pa.ListArray.from_arrays(ends, words),
        "bomb-row": pa.ListArray.from_arrays(pa.array([0, *[1] * 5, 900_000], pa.int32()), long),
    }
