"""ONNX files that would run, reach or cost something, and odd ones that are fine."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from corpus import Case


def graph(nodes: list[Any], side: int = 8, **constants: Any) -> bytes:  # noqa: ANN401 (arrays)
    """An ONNX file from `x` to `y`."""
    from onnx import TensorProto, helper, numpy_helper

    made = helper.make_graph(
        [helper.make_node(o, i, out, **more) for o, i, out, more in nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    return bytes(model.SerializeToString())


def field(number: int, data: bytes) -> bytes:
    """A field of bytes in protobuf's wire format."""
    head = b""
    for number_or_length in (number << 3 | 2, len(data)):
        value = number_or_length
        while value > 127:
            head, value = head + bytes([value & 127 | 128]), value >> 7
        head += bytes([value])
    return head + data


FLAT: tuple[Any, ...] = ("Flatten", ["x"], ["y"], {})
WEIGHTS = np.linspace(-1, 1, 384, dtype="f4").reshape(192, 2)
LINEAR = [("Flatten", ["x"], ["f"], {}), ("MatMul", ["f", "w"], ["y"], {})]
CODE = '"); __import__("os").system("touch executed") #'


def long(*sides: int) -> Any:  # noqa: ANN401 (an array)
    return np.array(sides, np.int64)


def hostile() -> dict[str, bytes]:
    good = graph(LINEAR, w=WEIGHTS)
    chain = [("Relu", [f"v{n}" if n else "x"], [f"v{n + 1}"], {}) for n in range(10_001)]
    pool = {"kernel_shape": [1, 1]}
    return {
        "functions": good + field(25, b""),
        "training": good + field(20, b""),
        "two-graphs": good + good,
        "tiny-nodes": field(7, field(1, b"") * 200_000),
        "tiny-fields": field(14, b"") * 600_000,
        "endless-number": b"\x80" * 1_000,
        "length-most": b"\x3a" + b"\xff" * 9 + b"\x01",
        "groups": b"\x0b\x0c",
        "expand": graph([("Expand", ["x", "s"], ["y"], {})], s=long(2**40, 1, 1, 1, 1)),
        "tile": graph([("Tile", ["x", "s"], ["y"], {})], s=long(1, 2**20, 2**20, 1)),
        "pad": graph([("Pad", ["x", "s"], ["y"], {})], s=long(0, 0, 0, 0, 0, 0, 2**20, 2**20)),
        "pad-window": graph([("MaxPool", ["x"], ["y"], pool | {"pads": [2**30] * 4})]),
        "window": graph([("AveragePool", ["x"], ["y"], {"kernel_shape": [2**31, 2**31]})]),
        "window-none": graph([("MaxPool", ["x"], ["y"], {})]),
        "stride-none": graph([("MaxPool", ["x"], ["y"], pool | {"strides": [0, 0]})]),
        "constant": graph(
            [("ConstantOfShape", ["s"], ["k"], {}), ("Add", ["x", "k"], ["y"], {})],
            s=long(2**20, 2**20),
        ),
        "range": graph(
            [("Range", ["a", "b", "c"], ["k"], {}), ("Cast", ["k"], ["y"], {"to": 1})],
            a=np.int64(0),
            b=np.int64(2**60),
            c=np.int64(1),
        ),
        "range-still": graph(
            [("Range", ["a", "b", "c"], ["y"], {})], a=np.int64(0), b=np.int64(9), c=np.int64(0)
        ),
        "outer": graph([("Einsum", ["x", "x"], ["y"], {"equation": "abcd,efgh->abcdefgh"})]),
        "chain": graph(chain),
        "blocks": graph([("SpaceToDepth", ["x"], ["y"], {"blocksize": 0})]),
        "no-groups": graph(
            [("Conv", ["x", "w"], ["y"], {"group": 0})], w=np.ones((2, 3, 1, 1), "f4")
        ),
        "axis": graph([("Flatten", ["x"], ["y"], {"axis": 2**62})]),
        "split": graph([("Split", ["x", "s"], ["y"], {"axis": 1})], s=long(2**62)),
        "attribute": graph([("Flatten", ["x"], ["y"], {"__class__": 1})]),
        "operator": graph([("__import__", ["x"], ["y"], {})]),
        "loop": graph([("Softmax", ["y"], ["z"], {}), ("Softmax", ["z"], ["y"], {})]),
        "itself": graph([("Flatten", ["y"], ["y"], {})]),
        "twice": graph([FLAT, FLAT]),
        "no-nodes": graph([]),
        "half": graph([("Mul", ["x", "k"], ["y"], {})], k=np.float16(1)),
        "complex": graph([("Mul", ["x", "k"], ["y"], {})], k=np.complex64(1)),
        "text": graph([("Add", ["x", "k"], ["y"], {})], k=np.array(["a"], object)),
        "constant-answer": graph([("Identity", ["k"], ["y"], {})], k=np.ones((1, 2), "f4")),
        "other-size": graph([FLAT], side=9),
    }


def odd() -> dict[str, bytes]:
    good = graph(LINEAR, w=WEIGHTS)
    named = [("Flatten", ["x"], [CODE], {"name": CODE}), ("MatMul", [CODE, "w"], ["y"], {})]
    return {
        "text-name": good.replace(b"\x12\x01g", b"\x12\x01\xff"),
        "code-names": graph(named, w=WEIGHTS),
        "metadata": good + field(14, field(1, CODE.encode()) + field(2, b"\x1b")),
        "unused-loop": graph([("Loop", ["", ""], ["z"], {}), *LINEAR], w=WEIGHTS),
    }


def cases(_: np.random.Generator) -> Iterator[Case]:
    for name, data in hostile().items():
        yield Case(f"networks/hostile-{name}.onnx", data, "refused")
    for name, data in odd().items():
        yield Case(f"networks/odd-{name}.onnx", data, "read")
