"""Parse an ONNX file into plain data: nodes and numbered values (names are only compared and quoted)."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from straylight.core.errors import quote_text
from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.protobuf import (
    Field,
    Message,
    WireReader,
    field_float,
    field_floats,
    field_integer,
    field_text,
)
from straylight.models.readers.onnx.tensors import FLOAT, NAMES, TensorReader

LARGEST = 2**31  # bytes; protobuf writes no more
MOST_NODES, MOST_VALUES = 10_000, 64  # most nodes of a graph; most values of an attribute
OPSETS = range(7, 26)
STANDARD_DOMAINS = ("", "ai.onnx")
# Types of attributes that are supported, by their numbers in AttributeProto.
ATTRIBUTE_TYPES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints"}

AttributeValue = int | float | str | Tensor | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True)
class OnnxNode:
    """One node of a graph; its inputs and outputs are value numbers, None where omitted."""

    operator: str
    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]
    attributes: dict[str, AttributeValue]


@dataclass(frozen=True)
class OnnxModel:
    """A graph with one batch of images as its input.

    Attributes:
        image: Number of its input.
        shape: Shape of the input in the file (0: any size; empty: unknown).
        outputs: Names of its outputs by number.
        size: Size of the file and of its external weights in bytes.
    """

    nodes: tuple[OnnxNode, ...]
    constants: dict[int, Tensor]
    image: int
    shape: tuple[int, ...]
    outputs: dict[int, str]
    opset: int
    size: int


class ValueNumbers:
    """The numbers of a graph's values by name."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def define(self, name: str) -> int:
        if name in self.known:
            raise UnsupportedModelError(f"defines {quote_text(name, 40)!r} twice")
        self.known[name] = len(self.known)
        return self.known[name]

    def use(self, name: str) -> int:
        if name not in self.known:
            raise UnsupportedModelError(f"uses {quote_text(name, 40)!r} before it is computed")
        return self.known[name]


def read_onnx_model(path: Path) -> OnnxModel:
    """Read an ONNX file and its external weights.

    Raises:
        UnsupportedModelError: If anything in it is not supported.
        OSError: If it cannot be read.
    """
    if path.stat().st_size > LARGEST:
        raise UnsupportedModelError("is larger than 2 GiB")
    data, wire = path.read_bytes(), WireReader()
    fields = wire.read_message(memoryview(data))
    graphs = fields.get(7, [])
    if len(graphs) != 1:
        raise UnsupportedModelError(
            "is not an ONNX file" if not graphs else "contains several graphs"
        )
    if 25 in fields:
        raise UnsupportedModelError("contains functions of its own")
    if 20 in fields:
        raise UnsupportedModelError("contains training steps")
    opset = _opset_version([wire.read_message(field) for field in fields.get(8, [])])
    return _read_graph(wire, graphs[0], TensorReader(wire, path.parent), opset, len(data))


def _opset_version(imports: list[Message]) -> int:
    """Return the opset version of the standard operators."""
    found = [
        field_integer(i.get(2, [])) for i in imports if field_text(i.get(1, [])) in STANDARD_DOMAINS
    ]
    if len(found) != 1 or found[0] not in OPSETS:
        version = str(found[0]) if len(found) == 1 else "none"
        raise UnsupportedModelError(f"has operators of opset {version}, not of 7 to {OPSETS[-1]}")
    return found[0]


def _read_graph(
    wire: WireReader, field: Field, tensors: TensorReader, opset: int, size: int
) -> OnnxModel:
    """Parse the graph of a file."""
    fields, numbers = wire.read_message(field), ValueNumbers()
    if 15 in fields:
        raise UnsupportedModelError("contains sparse tensors")
    if len(fields.get(1, [])) > MOST_NODES:
        raise UnsupportedModelError(f"has more than {MOST_NODES:,} nodes")
    constants: dict[int, Tensor] = {}
    for item in fields.get(5, []):
        name, tensor = tensors.read(item)
        constants[numbers.define(name)] = tensor
    inputs = [wire.read_message(item) for item in fields.get(11, [])]
    images = [i for i in inputs if field_text(i.get(1, [])) not in numbers.known]
    if len(images) != 1:
        raise UnsupportedModelError(
            f"takes {len(images)} inputs, where a classifier takes a batch of images"
        )
    shape = _input_shape(wire, images[0])
    image = numbers.define(field_text(images[0].get(1, [])))
    nodes = tuple(_read_node(wire, item, numbers, tensors) for item in fields.get(1, []))
    names = [field_text(wire.read_message(item).get(1, [])) for item in fields.get(12, [])]
    if not 1 <= len(names) <= 16:
        raise UnsupportedModelError(f"gives {len(names)} outputs")
    outputs = {numbers.use(name): name for name in names}
    size += tensors.external_size
    return OnnxModel(nodes, constants, image, shape, outputs, opset, size)


def _input_shape(wire: WireReader, info: Message) -> tuple[int, ...]:
    """Return the shape of an input (0: any size).

    Raises:
        UnsupportedModelError: If it is not a float32 tensor.
    """
    kinds = [wire.read_message(item) for item in info.get(2, [])]
    tensors = [wire.read_message(item) for kind in kinds for item in kind.get(1, [])]
    if len(tensors) != 1:
        raise UnsupportedModelError("takes something other than a tensor")
    kind = field_integer(tensors[0].get(1, []))
    if kind != FLOAT:
        dtype = NAMES.get(kind, {2: "uint8", 3: "int8", 6: "int32", 7: "int64"}.get(kind, "other"))
        raise UnsupportedModelError(f"takes {dtype} numbers, not float32: give it in float32")
    shapes = [wire.read_message(item) for item in tensors[0].get(2, [])]
    dims = [wire.read_message(item) for shape in shapes for item in shape.get(1, [])]
    return tuple(max(0, field_integer(dim.get(1, []))) for dim in dims)


def _read_node(
    wire: WireReader, field: Field, numbers: ValueNumbers, tensors: TensorReader
) -> OnnxNode:
    """Parse one node.

    Raises:
        UnsupportedModelError: If its operator is not a standard one or it contains a graph.
    """
    fields = wire.read_message(field)
    operator, domain = field_text(fields.get(4, [])), field_text(fields.get(7, []))
    if domain not in STANDARD_DOMAINS:
        raise UnsupportedModelError(
            f"uses {quote_text(operator, 40)} of {quote_text(domain, 40)}, which is not a standard operator"
        )
    attributes = [_read_attribute(wire, i, operator, tensors) for i in fields.get(5, [])]
    if max(len(fields.get(1, [])), len(fields.get(2, []))) > 16 * MOST_VALUES:
        raise UnsupportedModelError(f"has a {quote_text(operator, 40)} of too many values")
    inputs = tuple(
        numbers.use(field_text([i])) if field_text([i]) else None for i in fields.get(1, [])
    )
    outputs = tuple(
        numbers.define(field_text([o])) if field_text([o]) else None for o in fields.get(2, [])
    )
    if len(dict(attributes)) != len(attributes):
        raise UnsupportedModelError(f"has a {quote_text(operator, 40)} with an attribute twice")
    return OnnxNode(operator, inputs, outputs, dict(attributes))


def _read_attribute(
    wire: WireReader, field: Field, operator: str, tensors: TensorReader
) -> tuple[str, AttributeValue]:
    """Parse the name and the value of an attribute: numbers, a string or a tensor."""
    fields = wire.read_message(field)
    name, kind = field_text(fields.get(1, [])), field_integer(fields.get(20, []))
    if 21 in fields or kind not in ATTRIBUTE_TYPES:
        graph = kind in (5, 10)
        what = "a graph of its own" if graph else f"an attribute {quote_text(name, 40)!r}"
        raise UnsupportedModelError(f"has {what} in {quote_text(operator, 40)}")
    if kind == 1:
        return name, field_float(fields[2][-1]) if 2 in fields else 0.0
    if kind == 2:
        return name, field_integer(fields.get(3, []))
    if kind == 3:
        return name, field_text(fields.get(4, []))[:1000]
    if kind == 4:
        if 5 not in fields:
            raise UnsupportedModelError(f"has a {quote_text(operator, 40)} without its tensor")
        return name, tensors.read(fields[5][-1])[1]
    if kind == 6:
        return name, tuple(field_floats(fields.get(7, []))[: MOST_VALUES + 1].tolist())
    return name, tuple(wire.read_integers(fields.get(8, [])))


def constant_value(node: OnnxNode) -> Tensor:
    """Return the value of a Constant node."""
    if len(node.attributes) != 1:
        raise UnsupportedModelError("has a Constant without one value")
    name, value = next(iter(node.attributes.items()))
    kinds = {
        "value": Tensor,
        "value_float": float,
        "value_int": int,
        "value_ints": tuple,
        "value_floats": tuple,
    }
    if name not in kinds or not isinstance(value, kinds[name]):
        raise UnsupportedModelError(f"has a Constant with an attribute {quote_text(name, 40)!r}")
    if isinstance(value, Tensor):
        return value
    return torch.tensor(value, dtype=torch.int64 if "int" in name else torch.float32)
