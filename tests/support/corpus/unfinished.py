"""What Straylight wrote itself and reads again: its cache, and checkpoints of a training."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import save

from corpus import Case, damaged
from corpus.arrays import MARKER, claim, npy, npz
from corpus.models import WEIGHTS, tensors
from straylight.training.checkpoint import digest_checkpoint

NOTHING = hashlib.sha256(b"").hexdigest()
HISTORY = [{"loss": 0.5, "validation_accuracy": 0.75}]
PARTS = {
    f"{part}.{name}": tensor.clone()
    for part in ("network", "best", "momentum")
    for name, tensor in WEIGHTS.items()
}


def cases(rng: np.random.Generator) -> Iterator[Case]:
    yield from caches(rng)
    yield from damaged("checkpoints", "good.safetensors", checkpoint(), rng)
    for name, data in broken_checkpoints().items():
        yield Case(f"checkpoints/{name}.safetensors", data, "refused")


def caches(rng: np.random.Generator) -> Iterator[Case]:
    """Files of a cache, each of which is not what was written: it must be made anew."""
    zeros = np.zeros((6, 3, 8, 8), np.uint8)
    info = json.dumps({"sha256": NOTHING, "skipped": [[0, "broken"]]}).encode()
    for name, data in {
        "pixels.npy": npy(zeros),
        "info.json": info,
        "known": NOTHING.encode(),
    }.items():
        for case in damaged("caches", name, data, rng):
            yield replace(case, expected="read")
    others = {
        "pixels-zip.npy": npz(images=zeros),
        "pixels-kind.npy": npy(zeros.astype(np.float64)),
        "pixels-text.npy": b"no array",
        "pixels-none.npy": npy(zeros[:0]),
        "pixels-terabytes.npy": claim("(1099511627776, 3, 8, 8)"),
        "pixels-code.npy": claim(f"__import__('pathlib').Path({MARKER!r}).touch()"),
        "pixels-pickle.npy": np.array([None], object).dumps(),
        "info-deep.json": b"[" * 200_000,
        "info-list.json": b"[1]",
        "info-null.json": b'{"sha256": null, "skipped": null}',
        "info-place.json": b'{"sha256": "", "skipped": [[99, 7]]}',
        "known-binary": b"\xff\xfe\0" * 9,
        "known-path": b"../../secret.png",
    }
    for name, data in others.items():
        yield Case(f"caches/{name}", data, "read")


def checkpoint(
    parts: dict[str, torch.Tensor] | None = None, history: object = HISTORY, text: str = ""
) -> bytes:
    """A checkpoint of a linear network."""
    said = {"identity": "{}", "history": text or json.dumps(history)}
    said["sha256"] = digest_checkpoint(said, parts or PARTS)
    # Python's dictionaries keep their order, and safetensors' header does not.
    return canonical(save(parts or PARTS, said))


def canonical(data: bytes) -> bytes:
    """Sort the header of a safetensors file, so that it is the same in each process."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    text = json.dumps(header, sort_keys=True).encode()
    return tensors(text + b" " * (-len(text) % 8), data[8 + length :])


def broken_checkpoints() -> dict[str, bytes]:
    one = dict.fromkeys(["network.0.bias"], torch.zeros(2))
    return {
        "empty": b"",
        "pickle": b"\x80\x04\x95" + bytes(50),
        "no-texts": save(PARTS),
        "no-best": checkpoint({n: t for n, t in PARTS.items() if not n.startswith("best")}),
        "one-tensor": checkpoint(one),
        "other-shape": checkpoint(PARTS | {"network.0.bias": torch.zeros(3)}),
        "other-momentum": checkpoint(PARTS | {"momentum.0.bias": torch.zeros(3)}),
        "other-kind": checkpoint(PARTS | {"best.0.bias": torch.zeros(2, dtype=torch.int64)}),
        "history-null": checkpoint(history=None),
        "history-number": checkpoint(history=7),
        "history-texts": checkpoint(history=["\x1b[31m"]),
        "history-none": checkpoint(history=[{}]),
        "history-words": checkpoint(history=[{"loss": "low", "validation_accuracy": []}]),
        "history-nan": checkpoint(history=[{"loss": float("nan"), "validation_accuracy": 1}]),
        "history-open": checkpoint(text="[{"),
        "history-deep": checkpoint(text="[" * 90_000),
    }
