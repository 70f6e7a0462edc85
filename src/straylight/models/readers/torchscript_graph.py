"""The compiled graph of a TorchScript program: it only computes, and changes nothing that it keeps."""

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import nn

from straylight.core.errors import listed, quoted
from straylight.models.readers.torch_operators import allowed, is_fresh, is_known
from straylight.models.readers.trial import AWAY

Block = torch._C.Graph | torch._C.Block
# Numbers of rounds that are known before a loop begins: lengths, sizes, and sums of these.
COUNTS = {
    *(
        "aten::len",
        "aten::size",
        "aten::dim",
        "aten::add",
        "aten::sub",
        "aten::floordiv",
        "prim::min",
    ),
    *("aten::__range_length", "prim::Constant"),
}
MOST_ROUNDS, DEEPEST = 10_000, 2
BEFORE = {"prim::SetAttr"}  # in branches for training, which freezing leaves out
KEEPERS = {"prim::Constant", "prim::GetAttr"}
# Of a list: those that give a new one.
NEW_LISTS = {"aten::copy", "aten::list", "aten::slice", "aten::size"}
PLAIN = {"IntType", "FloatType", "BoolType", "StringType"}


def wrong_with_graph(network: nn.Module) -> str:  # noqa: PLR0911 (one for each fault)
    """Return what is wrong with a program, as the end of a sentence (nothing: all is well)."""
    module: Any = network
    for part in module.modules():
        if part._c._get_forward_hooks() or part._c._get_forward_pre_hooks():
            return f"has hooks, and is not read: {AWAY}"
    kinds = {node.kind() for node in nodes(module.inlined_graph)}
    if unknown := sorted(k for k in kinds if not (allowed(k) or k in BEFORE or is_known(k[6:]))):
        return f"uses {listed(unknown)}, which no classifier needs, and is not read: {AWAY}"
    graph: Any = frozen(module).graph
    kinds = {node.kind() for node in nodes(graph)} - {"prim::SetAttr"}
    if unknown := sorted(kind for kind in kinds if not allowed(kind)):
        return f"uses {listed(unknown)}, which no classifier in use needs, and is not read: {AWAY}"
    if deepest(graph) > DEEPEST:
        return f"has more than {DEEPEST} loops in one another, and is not read: {AWAY}"
    if any(map(is_training, nodes(graph))):
        return "is in training mode: call network.eval() before it is exported"
    mixed = any(map(puts_kept, nodes(graph)))
    for node in nodes(graph):
        if changes_itself(node, mixed=mixed):
            what = quoted(node.s("name") if node.hasAttribute("name") else node.kind())
            return f"changes itself while it answers ({what}), and is not read: {AWAY}"
        if node.kind() == "prim::Loop" and not is_short(node):
            return f"has a loop whose length nothing limits, and is not read: {AWAY}"
        if node.kind() == "prim::Constant" and (kind := half_of(node)):
            return f"computes with numbers of type {kind}: give it in float32 (network.float())"
    return ""


def frozen(network: nn.Module) -> nn.Module:
    """Return the network that is looked at and run.

    What nothing changes is a constant, branches for training are gone, and no number is computed
    otherwise.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: nn.Module = torch.jit.freeze(network, optimize_numerics=False)
    return found


def nodes(block: Block) -> Iterator[Any]:
    """List a graph's nodes, at any depth."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes(inner)


def changes_itself(node: Any, *, mixed: bool) -> bool:  # noqa: ANN401 (of torch._C)
    """Return whether a node changes what the program keeps from one call to the next."""
    if node.kind() == "prim::SetAttr":
        return True
    return not all(is_made_here(node.inputsAt(place), mixed=mixed) for place in writes(node))


def puts_kept(node: Any) -> bool:  # noqa: ANN401
    """Return whether a node puts something that the program keeps into a list, or may do so."""
    into_list = any(is_list(node.inputsAt(place)) for place in writes(node))
    return into_list and not all(map(is_made_here, node.inputs()))


def writes(node: Any) -> list[int]:  # noqa: ANN401
    """Return the places of the inputs that an operator changes, by its schema."""
    return written_by(node.schema()) if "!" in node.schema() else []


@cache
def written_by(schema: str) -> list[int]:
    """Return the places of the arguments that an operator of a schema changes."""
    arguments = torch._C.parse_schema(schema).arguments
    return [
        n for n, a in enumerate(arguments) if a.alias_info is not None and a.alias_info.is_write
    ]


def is_made_here(
    value: Any,  # noqa: ANN401
    seen: frozenset[str] = frozenset(),
    *,
    mixed: bool = False,
) -> bool:
    """Return whether a value is new in each call: neither kept by the program nor a view of that.

    Args:
        value: It, of the graph.
        seen: Names of the values that are being looked at.
        mixed: Whether lists may hold what the program keeps: then what comes out of one is not new.
    """
    node, name = value.node(), value.debugName()
    kind = node.kind()
    if name in seen:
        return True
    seen = seen | {name}
    if kind == "prim::Param":
        outer = node.owningBlock().owningNode()
        # The images, which are a copy in each call; or what a loop begins with.
        at_start = None if outer is None or outer.kind() != "prim::Loop" else value.offset() + 1
        return at_start is None or is_made_here(outer.inputsAt(at_start), seen, mixed=mixed)
    if kind in KEEPERS:
        return value.type().kind() not in ("TensorType", "ListType", "DictType", "OptionalType")
    fresh = kind.startswith("aten::") and is_fresh(kind.partition("::")[2])
    # A list of numbers, which is not a view of another.
    numbers = kind in NEW_LISTS and value.type().kind() == "ListType" and not is_list(value)
    if (fresh or numbers) and not writes(node):
        return True
    if mixed and any(map(is_list, node.inputs())):
        return False
    inner = [output for block in node.blocks() for output in block.outputs()]
    return all(is_made_here(v, seen, mixed=mixed) for v in (*node.inputs(), *inner))


def is_list(value: Any) -> bool:  # noqa: ANN401
    """Return whether a value is a list or a table of something else than numbers and texts."""
    kind = value.type()
    if kind.kind() == "ListType":
        return kind.getElementType().kind() not in PLAIN
    return kind.kind() in ("DictType", "OptionalType", "TupleType", "AnyType", "UnionType")


def is_training(node: Any) -> bool:  # noqa: ANN401
    """Return whether a node is of a batch norm or a dropout in training."""
    place = 5 if node.kind() == "aten::batch_norm" else 2 if "dropout" in node.kind() else 0
    return place > 0 and node.inputsAt(place).toIValue() is not False


def is_short(loop: Any) -> bool:  # noqa: ANN401
    """Return whether a loop is a `for` over something whose length is known when it begins."""
    goes_on = next(next(loop.blocks()).outputs())
    always = loop.inputsAt(1).toIValue() is True and goes_on.toIValue() is True
    return always and is_count(loop.inputsAt(0))


def deepest(block: Block) -> int:
    """Return how deep loops stand in one another."""
    return max(
        (
            (node.kind() == "prim::Loop") + max(map(deepest, node.blocks()), default=0)
            for node in block.nodes()
        ),
        default=0,
    )


def is_count(value: Any) -> bool:  # noqa: ANN401
    """Return whether a number is made of lengths, sizes and small constants."""
    node = value.node()
    if node.kind() not in COUNTS:
        return False
    if node.kind() == "prim::Constant":
        number = value.toIValue()
        return isinstance(number, int) and abs(number) <= MOST_ROUNDS
    if node.kind() in ("aten::len", "aten::size", "aten::dim"):
        return True
    return all(map(is_count, node.inputs()))


def half_of(constant: Any) -> str:  # noqa: ANN401
    """Return the type of a tensor's numbers, if it is another than float32's."""
    tensor = constant.output().toIValue() if constant.hasAttribute("value") else None
    if (
        not isinstance(tensor, torch.Tensor)
        or not tensor.is_floating_point()
        or tensor.numel() == 1
    ):
        return ""  # a traced number is a float64 of one element
    return "" if tensor.dtype == torch.float32 else str(tensor.dtype).removeprefix("torch.")
