"""Manifests: tables as spreadsheets, scripts and enemies write them."""

import io
import struct
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from corpus import Case, damaged

FILES = [f"{label}/{number}.png" for label in ("dark", "light") for number in range(3)]
ROWS = [(file, file.split("/")[0]) for file in FILES]
PLAIN = "file,label\n" + "".join(f"{file},{label}\n" for file, label in ROWS)
WITHIN = "file,label\ndark/0.png,dark\n{},light\n"


def packed(columns: dict[str, object], **settings: object) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pa.table(columns), stream, **settings)
    return stream.getvalue()


def cases(rng: np.random.Generator) -> Iterator[Case]:
    yield from damaged("tables", "plain.csv", PLAIN.encode(), rng)
    columns = {"file": FILES, "label": [label for _, label in ROWS]}
    yield from damaged("tables", "plain.parquet", packed(columns), rng)
    yield from damaged("tables", "zipped.parquet", packed(columns, compression="gzip"), rng)
    for name, text in readable().items():
        yield Case(f"tables/{name}.csv", text.encode(), "read")
    for name, text in broken().items():
        yield Case(f"tables/{name}.csv", text.encode("utf-8", "surrogateescape"), "refused")
    for number, name in enumerate(escapes()):
        yield Case(f"tables/escape-{number}.csv", WITHIN.format(name).encode(), "refused")
    binary = {
        "utf16": PLAIN.encode("utf-16"),
        "utf16-no-mark": PLAIN.encode("utf-16-le"),
        "latin": PLAIN.replace("light", "hell-ä").encode("latin-1"),
        "empty": b"",
        "only-mark": b"\xef\xbb\xbf",
        "zip": b"PK\3\4" + bytes(100),
        "random": rng.bytes(3_000),
    }
    for name, data in binary.items():
        yield Case(f"tables/{name}.csv", data, "refused")
    for name, data in other_parquet(columns).items():
        yield Case(f"tables/{name}.parquet", data, "refused")


def readable() -> dict[str, str]:
    """Tables that are unusual, and right."""
    lines = PLAIN.splitlines()
    return {
        "mark": "\ufeff" + PLAIN,
        "dos": PLAIN.replace("\n", "\r\n"),
        "old-mac": PLAIN.replace("\n", "\r"),
        "mixed": "\r\n".join(lines[:3]) + "\n" + "\r".join(lines[3:]),
        "backslashes": PLAIN.replace("/", "\\"),
        "blank-lines": PLAIN.replace("\n", "\n\n"),
        "quoted": 'file,label\n"dark/0.png","dark"\n"light/0.png","light"\n',
        "rows-twice": PLAIN + "".join(f"{line}\n" for line in lines[1:]),
        "more-columns": 'nr,file,note,label\n1,dark/0.png,,dark\n2,light/0.png,"a\nb",light\n',
        "more-empty-fields": PLAIN.replace("0.png,dark", "0.png,dark,, "),
        "blank-rows": PLAIN.replace("\n", "\n,\n") + "  ",
        "said-separator": "sep=;\n" + PLAIN.replace(",", ";"),
        "dots": PLAIN.replace("dark/", "./dark//"),
    }


def broken() -> dict[str, str]:
    return {
        "more-fields": PLAIN.replace("0.png,dark", "0.png,dark,left,over"),
        "no-rows": "file,label\n",
        "no-columns": "a,b\n1,2\n",
        "binary-columns": "\x1b[31m" + "x" * 5_000 + ",\0\n1,2\n",
        "many-columns": ",".join(f"column{n}" for n in range(5_000)) + "\n1,2\n",
        "no-file": WITHIN.format(""),
        "no-label": "file,label\ndark/0.png,\n",
        "few-fields": "file,label\ndark/0.png\n",
        "spaces": WITHIN.format("   "),
        "not-there": WITHIN.format("dark/none.png"),
        "long-name": WITHIN.format("x" * 60_000),
        "escape-codes": WITHIN.format("dark/\x1b[2J\x07.png"),
        "folder": WITHIN.format("dark"),
        "two-labels": PLAIN + "dark/0.png,light\n",
        "two-ways": PLAIN + "dark/./0.png,light\n",
        "unknown-label": PLAIN.replace("dark\n", "other\n"),
        "unknown-labels": PLAIN + "".join(f"dark/{n}.png,label{n}\n" for n in range(3_000)),
        "long-label": PLAIN.replace("0.png,dark", "0.png," + "x" * 100_000),
        "escape-label": PLAIN.replace("0.png,dark", "0.png,\x1b[31m\0\x07"),
        "column-twice": "file,label,label\ndark/0.png,dark,light\n",
        "open-quote": 'file,label\ndark/0.png,"dark\nlight/0.png,light\n',
        "open-quote-long": 'file,label\ndark/0.png,"dark\n' + "light/0.png,light\n" * 20_000,
        "huge-field": "file,label\ndark/0.png," + "x" * 200_000 + "\n",
        "not-utf8": "file,label\ndark/\udcff.png,dark\n",
    }


def escapes() -> list[str]:
    """Names that lead out of the folder."""
    return [
        *("../secret.png", "/etc/passwd", "dark/../../secret.png", "..\\secret.png"),
        *("C:\\secret.png", "C:secret.png", "\\\\server\\share\\a.png", "//server/a.png"),
        *("a\0.png", "file:///etc/passwd", "..", ".", "/", "dark/..", "./..//../secret.png"),
    ]


def other_parquet(columns: dict[str, object]) -> dict[str, bytes]:
    nested = pa.array([{"a": [1, 2]}] * 6)
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_001, np.int32)), ["dark/0.png"])
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(500, np.int32)), ["x" * 10_000_000])
    return {
        "no-columns": packed({"a": [1], "b": [2]}),
        "no-rows": packed({"file": [], "label": []}),
        "nulls": packed({"file": FILES[:1], "label": pa.array([None], pa.string())}),
        "nested": packed(columns | {"label": nested}),
        "floats": packed(columns | {"label": [0.5] * 6}),
        "binary": packed(columns | {"file": [b"\xff\xfe\0"] * 6}),
        "bomb-rows": packed({"file": many, "label": many}),
        "bomb-text": packed({"file": long, "label": long}),
        "magic": b"PAR1" + bytes(40) + b"PAR1",
        "lying-footer": b"PAR1" + bytes(40) + struct.pack("<I", 2**31 - 1) + b"PAR1",
        "empty": b"",
        "csv": PLAIN.encode(),
    }
