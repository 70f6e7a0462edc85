"""TorchScript programs, and configurations of timm and transformers, good and hostile."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from corpus import Case
from corpus.arrays import MARKER


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.layer(images.mean((2, 3)))
        return found


# One line before the answer, in TorchScript's own source, and what comes of it.
LINES: dict[str, tuple[str, str]] = {
    "nothing": ("", "read"),
    "relu": ("images = torch.relu(images)", "read"),
    "in-place": ("images = torch.relu_(torch.add(images, 1))", "read"),
    "method": ("images = (images).relu()", "read"),
    "print": ('print("\\x1b[2J")', "refused"),
    "save": (f'torch.save(images, "{MARKER}")', "refused"),
    "save-method": (f'(images).save("{MARKER}")', "refused"),
    "save-ops": (f'ops.aten.save(images, "{MARKER}")', "refused"),
    "save-spaces": (f'torch . save (images, "{MARKER}")', "refused"),
    "save-alias": (f'f = torch.save\n    f(images, "{MARKER}")', "refused"),
    "from-file": (f'images = torch.from_file("{MARKER}", True, 1)', "refused"),
    "random": ("images = torch.add(images, torch.rand([1]))", "refused"),
    "random-like": ("images = torch.add(images, torch.randn_like(images))", "refused"),
    "bernoulli": ("images = torch.bernoulli(images)", "refused"),
    "dropout": ("images = torch.dropout(images, 0.5, True)", "refused"),
    "empty": ("images = torch.add(images, torch.empty_like(images))", "refused"),
    "classes": ("images = torch.classes.quantized.X(images)", "refused"),
    "classes-spaces": ("images = torch . classes . quantized . X(images)", "refused"),
    "library": ("images = ops.torchvision.nms(images, images, 0.5)", "refused"),
    "rpc": ('rpc_sync("a", torch.relu, (images,))', "refused"),
    "weights": ("torch.mul_(self.layer.weight, -1)", "refused"),
    "weights-view": ("torch.mul_(torch.view(self.layer.weight, [-1]), -1)", "refused"),
    "weights-out": ("q = torch.add(images, 1, out=self.layer.weight)", "refused"),
    "weights-list": (
        "q = annotate(List[Tensor], [])\n    w = torch.append(q, self.layer.weight)\n"
        "    v = torch.mul_(q[0], -1)",
        "refused",
    ),
    "attribute": ("self.layer.training = True", "refused"),
    "while": ("while True:\n      images = torch.relu(images)", "refused"),
    "for-long": ("for i in range(1000000000000):\n      images = torch.relu(images)", "refused"),
    "for-short": ("for i in range(3):\n      images = torch.relu(images)", "read"),
    "for-sizes": (
        "for i in range(torch.len(images)):\n      images = torch.mul(images, 1)",
        "read",
    ),
    "for-data": (
        "for i in range(int(torch.sum(images))):\n      images = torch.mul(images, 0.9)",
        "refused",
    ),
    "memory": ("images = torch.add(images, torch.sum(torch.zeros([300000, 300000])))", "refused"),
    "raise": ('ops.prim.RaiseException("\\x1b[31m", "x")', "refused"),
    "half": ("images = torch.mul(images, CONSTANTS.c0)", "refused"),
    "other-batch": ("images = torch.sub(images, torch.mul(torch.mean(images), 9))", "refused"),
    "deep": ("images = " + "torch.relu(" * 3_000 + "images" + ")" * 3_000, "refused"),
    "deep-not": ("q = " + "not " * 5_000 + "True", "refused"),
    "import": ("import os", "refused"),
    "lambda": ("q = lambda: 1", "refused"),
    "no-source": ("\x00\xff", "refused"),
}


@cache
def compiled() -> bytes:
    """Compile the network once: torch gives its class another name each time."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Linear().eval()), stream)
    return stream.getvalue()


def program(line: str) -> bytes:
    """A TorchScript archive with a line before its answer."""
    return changed(
        compiled(),
        lambda name, data: (
            with_line(data, line) if b"class Linear(" in data and b"images" in data else data
        ),
    )


def with_line(source: bytes, line: str) -> bytes:
    text = source.decode()
    place = text.index("    layer = self.layer")
    return (text[:place] + (f"    {line}\n" if line else "") + text[place:]).encode()


def changed(archive: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The archive with other records."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            if not name.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(name), change(name, old.read(name)))
    return stream.getvalue()


def archives() -> dict[str, bytes]:
    """Archives that lie about themselves."""
    good = program("")
    found = {
        "classes": changed(
            good,
            lambda n, d: (
                d.replace(b"__torch__.corpus.programs", b"__torch__.torch\x0aclasses")
                if n.endswith("data.pkl")
                else d
            ),
        ),
        "global": changed(
            good,
            lambda n, d: (
                b"\x80\x02cposix\nsystem\nX\x01\0\0\0a\x85R." if n.endswith("data.pkl") else d
            ),
        ),
        "opcode": changed(
            good,
            lambda n, d: (
                b"\x80\x04\x8c\x05posix\x8c\x06system\x93." if n.endswith("data.pkl") else d
            ),
        ),
        "empty-table": changed(good, lambda n, d: b"" if n.endswith("data.pkl") else d),
        "state": changed(
            good,
            lambda n, d: d.replace(b"def forward", b"def __setstate__") if n.endswith(".py") else d,
        ),
    }
    stream = io.BytesIO(good)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as bomb:
        root = bomb.namelist()[0].partition("/")[0]
        with bomb.open(f"{root}/data/9", "w") as member:
            for _ in range(4):
                member.write(bytes(2**24))
    found["bomb"] = stream.getvalue()
    encrypted = bytearray(good)
    place = good.find(b"PK\1\2")
    while place >= 0:
        encrypted[place + 8] |= 1
        place = good.find(b"PK\1\2", place + 4)
    return found | {"encrypted": bytes(encrypted)}


TIMM: dict[str, Any] = {
    "architecture": "test_resnet",
    "num_classes": 2,
    "pretrained_cfg": {
        "input_size": [3, 32, 32],
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "label_names": ["a", "b"],
    },
}
ODD: list[Any] = [7, -1, 1.5, "x", [], [1], {"a": 1}, True, 10**30, "x" * 5_000, [[]], ["\x9b"]]
ARGUMENTS: list[dict[str, Any]] = [
    {"checkpoint_path": f"{MARKER}.pth"},
    {"pretrained": True},
    {"pretrained_cfg": {"file": f"{MARKER}.pth"}},
    {"pretrained_cfg_overlay": {"file": f"{MARKER}.pth"}},
    {"cache_dir": "."},
    {"scriptable": True},
    {"act_layer": "os.system"},
    {"act_layer": ["relu"]},
    {"layers": [1_000_000] * 4},
    {"layers": [200] * 4},
    {"layers": [1] * 70},
    {"layers": "1111"},
    {"layers": [True] * 4},
    {"stem_width": 10**9},
    {"in_chans": 0},
    {"features_only": True},
    {"block": "Bottleneck"},
    {"\x1b[31m": 1},
]
HUGGING: list[dict[str, Any]] = [
    {"model_type": "vit", "auto_map": {"AutoModel": "own.Own"}},
    {"model_type": "vit", "quantization_config": {}},
    {"model_type": "vit", "attn_implementation": "org/kernel"},
    {"model_type": "vit", "_attn_implementation": "org/kernel"},
    {"model_type": "vit", "num_hidden_layers": 10**6},
    {"model_type": "vit", "num_hidden_layers": "7"},
    {"model_type": "vit", "hidden_size": 16_384, "intermediate_size": 16_384},
    {"model_type": "vit", "id2label": [1]},
    {"model_type": "vit", "id2label": {"5": "a"}},
    {"model_type": "vit", "id2label": {"0": 7}},
    {"model_type": "vit", "hidden_act": "org/act"},
    {"model_type": "dpt", "backbone": f"{MARKER}", "use_pretrained_backbone": True},
    {"model_type": ["vit"]},
    {
        "model_type": "timm_wrapper",
        "architecture": "test_resnet",
        "num_classes": 2,
        "model_args": {"checkpoint_path": MARKER},
    },
    {"model_type": "timm_wrapper", "num_classes": 2, "model_args": [1]},
    {},
]


def configs() -> Iterator[tuple[str, object, str]]:
    """Configurations: names, content, what comes of them."""
    yield "timm", TIMM, "read"
    yield (
        "timm-arguments",
        TIMM | {"model_args": {"num_classes": 2, "act_layer": "relu", "in_chans": 3}},
        "read",
    )
    for number, arguments in enumerate(ARGUMENTS):
        yield f"timm-argument-{number}", TIMM | {"model_args": arguments}, "refused"
    for key in ("architecture", "num_classes", "pretrained_cfg", "model_args", "label_names"):
        for number, value in enumerate(ODD):
            yield f"timm-{key}-{number}", TIMM | {key: value}, "any"
    for key in ("input_size", "mean", "std", "label_names"):
        for number, value in enumerate(ODD):
            inner = TIMM["pretrained_cfg"] | {key: value}
            yield f"timm-cfg-{key}-{number}", TIMM | {"pretrained_cfg": inner}, "any"
    for number, config in enumerate(HUGGING):
        yield f"transformers-{number}", config, "refused"


def cases(_: np.random.Generator) -> Iterator[Case]:
    for name, (line, expected) in LINES.items():
        yield Case(f"programs/{name}.pt", program(line), expected)
    for name, data in archives().items():
        yield Case(f"programs/archive-{name}.pt", data, "refused")
    for name, config, expected in configs():
        yield Case(f"configs/{name}.json", json.dumps(config).encode(), expected)
    yield Case("configs/deep.json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "refused")
    yield Case("configs/text.json", b"\x80\x04", "refused")
