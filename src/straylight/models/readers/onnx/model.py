"""An ONNX file as plain data: numbered values and nodes. Its names are for comparing and quoting only."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from straylight.core.errors import quoted
from straylight.models.readers.export_checks import Refused
from straylight.models.readers.onnx.protobuf import (
    Field,
    Message,
    Wire,
    floats,
    integer,
    single,
    text,
)
from straylight.models.readers.onnx.tensors import FLOAT, NAMES, Tensors

LARGEST = 2**31  # bytes; protobuf writes no more
NODES, VALUES = 10_000, 64  # of a graph; of an attribute or the inputs of a node
OPSETS = range(7, 26)
PLAIN = ("", "ai.onnx")
ONE = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints"}  # types of attributes that are taken

Attribute = int | float | str | Tensor | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True)
class Node:
    """One operator; its values are numbers, and None where one is left out."""

    operator: str
    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]
    attributes: dict[str, Attribute]


@dataclass(frozen=True)
class Model:
    """A graph from one batch of images.

    Attributes:
        image: Number of its input.
        shape: What the file says of that (0: any size; empty: nothing).
        outputs: Numbers of its outputs, and their names.
        size: Bytes of the file and of the weights beside it.
    """

    nodes: tuple[Node, ...]
    constants: dict[int, Tensor]
    image: int
    shape: tuple[int, ...]
    outputs: dict[int, str]
    opset: int
    size: int


class Numbers:
    """Gives each name of a graph a number."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def define(self, name: str) -> int:
        if name in self.known:
            raise Refused(f"defines {quoted(name, 40)!r} twice")
        self.known[name] = len(self.known)
        return self.known[name]

    def use(self, name: str) -> int:
        if name not in self.known:
            raise Refused(f"uses {quoted(name, 40)!r} before it is computed")
        return self.known[name]


def read_model(path: Path) -> Model:
    """Read an ONNX file and the weights beside it.

    Raises:
        Refused: If anything in it is not plain.
        OSError: If it cannot be read.
    """
    if path.stat().st_size > LARGEST:
        raise Refused("is larger than 2 GiB")
    data, wire = path.read_bytes(), Wire()
    fields = wire.message(memoryview(data))
    graphs = fields.get(7, [])
    if len(graphs) != 1:
        raise Refused("is not an ONNX file" if not graphs else "holds several graphs")
    if 25 in fields:
        raise Refused("holds functions of its own")
    if 20 in fields:
        raise Refused("holds steps of training")
    opset = opset_of([wire.message(field) for field in fields.get(8, [])])
    return read_graph(wire, graphs[0], Tensors(wire, path.parent), opset, len(data))


def opset_of(imports: list[Message]) -> int:
    """Return the version of the standard operators."""
    found = [integer(i.get(2, [])) for i in imports if text(i.get(1, [])) in PLAIN]
    if len(found) != 1 or found[0] not in OPSETS:
        said = str(found[0]) if len(found) == 1 else "none"
        raise Refused(f"has operators of version {said}, not of one from 7 to {OPSETS[-1]}")
    return found[0]


def read_graph(wire: Wire, field: Field, tensors: Tensors, opset: int, size: int) -> Model:
    """Read the one graph of a file."""
    fields, numbers = wire.message(field), Numbers()
    if 15 in fields:
        raise Refused("holds sparse tensors")
    if len(fields.get(1, [])) > NODES:
        raise Refused(f"has more than {NODES:,} nodes")
    constants: dict[int, Tensor] = {}
    for item in fields.get(5, []):
        name, tensor = tensors.read(item)
        constants[numbers.define(name)] = tensor
    inputs = [wire.message(item) for item in fields.get(11, [])]
    images = [i for i in inputs if text(i.get(1, [])) not in numbers.known]
    if len(images) != 1:
        raise Refused(f"takes {len(images)} inputs, where a classifier takes a batch of images")
    shape = shape_of(wire, images[0])
    image = numbers.define(text(images[0].get(1, [])))
    nodes = tuple(read_node(wire, item, numbers, tensors) for item in fields.get(1, []))
    names = [text(wire.message(item).get(1, [])) for item in fields.get(12, [])]
    if not 1 <= len(names) <= 16:
        raise Refused(f"gives {len(names)} outputs")
    outputs = {numbers.use(name): name for name in names}
    size += tensors.beside_it
    return Model(nodes, constants, image, shape, outputs, opset, size)


def shape_of(wire: Wire, info: Message) -> tuple[int, ...]:
    """Return what the file says of its input's sizes.

    Raises:
        Refused: If it takes something else than float32 numbers.
    """
    kinds = [wire.message(item) for item in info.get(2, [])]
    tensors = [wire.message(item) for kind in kinds for item in kind.get(1, [])]
    if len(tensors) != 1:
        raise Refused("takes something else than a tensor")
    kind = integer(tensors[0].get(1, []))
    if kind != FLOAT:
        said = NAMES.get(kind, {2: "uint8", 3: "int8", 6: "int32", 7: "int64"}.get(kind, "other"))
        raise Refused(f"takes {said} numbers, not float32: give it in float32")
    shapes = [wire.message(item) for item in tensors[0].get(2, [])]
    dims = [wire.message(item) for shape in shapes for item in shape.get(1, [])]
    return tuple(max(0, integer(dim.get(1, []))) for dim in dims)


def read_node(wire: Wire, field: Field, numbers: Numbers, tensors: Tensors) -> Node:
    """Read one node.

    Raises:
        Refused: If its operator is not a standard one or it holds a graph of its own.
    """
    fields = wire.message(field)
    operator, domain = text(fields.get(4, [])), text(fields.get(7, []))
    if domain not in PLAIN:
        raise Refused(
            f"uses {quoted(operator, 40)} of {quoted(domain, 40)}, which is not a standard operator"
        )
    attributes = [read_attribute(wire, i, operator, tensors) for i in fields.get(5, [])]
    if max(len(fields.get(1, [])), len(fields.get(2, []))) > 16 * VALUES:
        raise Refused(f"has a {quoted(operator, 40)} of too many values")
    inputs = tuple(numbers.use(text([i])) if text([i]) else None for i in fields.get(1, []))
    outputs = tuple(numbers.define(text([o])) if text([o]) else None for o in fields.get(2, []))
    if len(dict(attributes)) != len(attributes):
        raise Refused(f"has a {quoted(operator, 40)} with an attribute twice")
    return Node(operator, inputs, outputs, dict(attributes))


def read_attribute(
    wire: Wire, field: Field, operator: str, tensors: Tensors
) -> tuple[str, Attribute]:
    """Return the name and the value of an attribute: numbers, a text or a tensor."""
    fields = wire.message(field)
    name, kind = text(fields.get(1, [])), integer(fields.get(20, []))
    if 21 in fields or kind not in ONE:
        graph = kind in (5, 10)
        what = "a graph of its own" if graph else f"an attribute {quoted(name, 40)!r}"
        raise Refused(f"has {what} in {quoted(operator, 40)}")
    if kind == 1:
        return name, single(fields[2][-1]) if 2 in fields else 0.0
    if kind == 2:
        return name, integer(fields.get(3, []))
    if kind == 3:
        return name, text(fields.get(4, []))[:1000]
    if kind == 4:
        if 5 not in fields:
            raise Refused(f"has a {quoted(operator, 40)} without its tensor")
        return name, tensors.read(fields[5][-1])[1]
    if kind == 6:
        return name, tuple(floats(fields.get(7, []))[: VALUES + 1].tolist())
    return name, tuple(wire.numbers(fields.get(8, [])))


def constant(node: Node) -> Tensor:
    """Return the value of a Constant."""
    if len(node.attributes) != 1:
        raise Refused("has a Constant without one value")
    name, value = next(iter(node.attributes.items()))
    kinds = {
        "value": Tensor,
        "value_float": float,
        "value_int": int,
        "value_ints": tuple,
        "value_floats": tuple,
    }
    if name not in kinds or not isinstance(value, kinds[name]):
        raise Refused(f"has a Constant with an attribute {quoted(name, 40)!r}")
    if isinstance(value, Tensor):
        return value
    return torch.tensor(value, dtype=torch.int64 if "int" in name else torch.float32)
