"""Check the compiled graph of a TorchScript program: it only computes, and does not modify its state."""

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import nn

from straylight.core.errors import join_names, quote_text
from straylight.models.readers.torch_operators import (
    is_allowed_operator,
    is_known_operator,
    returns_new_memory,
)
from straylight.models.readers.trial import EXPORT_HINT

Block = torch._C.Graph | torch._C.Block
# Loop lengths that are known before the loop begins: lengths, sizes and arithmetic with them.
LENGTH_OPERATORS = {
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
TRAINING_ONLY = {"prim::SetAttr"}  # in training branches, which freezing removes
STATE_NODES = {"prim::Constant", "prim::GetAttr"}
# List operators that return a new list.
NEW_LISTS = {"aten::copy", "aten::list", "aten::slice", "aten::size"}
PLAIN_TYPES = {"IntType", "FloatType", "BoolType", "StringType"}


def graph_fault(network: nn.Module) -> str:  # noqa: PLR0911 (one for each fault)
    """Return what is wrong with a program, as the predicate of a sentence ("": nothing)."""
    module: Any = network
    for part in module.modules():
        if part._c._get_forward_hooks() or part._c._get_forward_pre_hooks():
            return f"has hooks, and is not read: {EXPORT_HINT}"
    kinds = {node.kind() for node in _iterate_nodes(module.inlined_graph)}
    if unknown := sorted(
        k
        for k in kinds
        if not (is_allowed_operator(k) or k in TRAINING_ONLY or is_known_operator(k[6:]))
    ):
        return (
            f"uses {join_names(unknown)}, which no classifier needs, and is not read: {EXPORT_HINT}"
        )
    graph: Any = freeze_torchscript(module).graph
    kinds = {node.kind() for node in _iterate_nodes(graph)} - {"prim::SetAttr"}
    if unknown := sorted(kind for kind in kinds if not is_allowed_operator(kind)):
        return (
            f"uses {join_names(unknown)}, which no classifier in evaluation mode needs, and is not read: "
            f"{EXPORT_HINT}"
        )
    if _loop_depth(graph) > DEEPEST:
        return f"has more than {DEEPEST} nested loops, and is not read: {EXPORT_HINT}"
    if any(map(_is_in_training_mode, _iterate_nodes(graph))):
        return "is in training mode: call network.eval() before it is exported"
    mixed = any(map(_puts_state_into_list, _iterate_nodes(graph)))
    for node in _iterate_nodes(graph):
        if _mutates_state(node, mixed=mixed):
            what = quote_text(node.s("name") if node.hasAttribute("name") else node.kind())
            return f"modifies its own state when it runs ({what}), and is not read: {EXPORT_HINT}"
        if node.kind() == "prim::Loop" and not _is_bounded_loop(node):
            return f"has a loop of unlimited length, and is not read: {EXPORT_HINT}"
        if node.kind() == "prim::Constant" and (kind := _non_float32_dtype(node)):
            return f"computes with numbers of type {kind}: give it in float32 (network.float())"
    return ""


def freeze_torchscript(network: nn.Module) -> nn.Module:
    """Return the frozen network, which is the one that is checked and run.

    Unmodified attributes become constants and training branches are removed; no number changes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: nn.Module = torch.jit.freeze(network, optimize_numerics=False)
    return found


def _iterate_nodes(block: Block) -> Iterator[Any]:
    """Yield a graph's nodes, at any depth."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _iterate_nodes(inner)


def _mutates_state(node: Any, *, mixed: bool) -> bool:  # noqa: ANN401 (of torch._C)
    """Return whether a node modifies state that the program keeps between calls."""
    if node.kind() == "prim::SetAttr":
        return True
    return not all(
        _is_new_value(node.inputsAt(place), mixed=mixed) for place in _written_inputs(node)
    )


def _puts_state_into_list(node: Any) -> bool:  # noqa: ANN401
    """Return whether a node may put state that the program keeps into a list."""
    into_list = any(_is_container(node.inputsAt(place)) for place in _written_inputs(node))
    return into_list and not all(map(_is_new_value, node.inputs()))


def _written_inputs(node: Any) -> list[int]:  # noqa: ANN401
    """Return the positions of the inputs that an operator modifies, by its schema."""
    return _written_arguments(node.schema()) if "!" in node.schema() else []


@cache
def _written_arguments(schema: str) -> list[int]:
    """Return the positions of the arguments that an operator with this schema modifies."""
    arguments = torch._C.parse_schema(schema).arguments
    return [
        n for n, a in enumerate(arguments) if a.alias_info is not None and a.alias_info.is_write
    ]


def _is_new_value(
    value: Any,  # noqa: ANN401
    seen: frozenset[str] = frozenset(),
    *,
    mixed: bool = False,
) -> bool:
    """Return whether a value is new in each call: neither the program's state nor a view of it.

    Args:
        value: A value of the graph.
        seen: Names of the values that are already being checked.
        mixed: Whether lists may contain state: then values taken from a list are not new.
    """
    node, name = value.node(), value.debugName()
    kind = node.kind()
    if name in seen:
        return True
    seen = seen | {name}
    if kind == "prim::Param":
        outer = node.owningBlock().owningNode()
        # The images, copied for each call, or the initial values of a loop.
        at_start = None if outer is None or outer.kind() != "prim::Loop" else value.offset() + 1
        return at_start is None or _is_new_value(outer.inputsAt(at_start), seen, mixed=mixed)
    if kind in STATE_NODES:
        return value.type().kind() not in ("TensorType", "ListType", "DictType", "OptionalType")
    fresh = kind.startswith("aten::") and returns_new_memory(kind.partition("::")[2])
    # A list of numbers that is not a view of another list.
    numbers = kind in NEW_LISTS and value.type().kind() == "ListType" and not _is_container(value)
    if (fresh or numbers) and not _written_inputs(node):
        return True
    if mixed and any(map(_is_container, node.inputs())):
        return False
    inner = [output for block in node.blocks() for output in block.outputs()]
    return all(_is_new_value(v, seen, mixed=mixed) for v in (*node.inputs(), *inner))


def _is_container(value: Any) -> bool:  # noqa: ANN401
    """Return whether a value is a container of anything but numbers and strings."""
    kind = value.type()
    if kind.kind() == "ListType":
        return kind.getElementType().kind() not in PLAIN_TYPES
    return kind.kind() in ("DictType", "OptionalType", "TupleType", "AnyType", "UnionType")


def _is_in_training_mode(node: Any) -> bool:  # noqa: ANN401
    """Return whether a node is a batch norm or a dropout in training mode."""
    place = 5 if node.kind() == "aten::batch_norm" else 2 if "dropout" in node.kind() else 0
    return place > 0 and node.inputsAt(place).toIValue() is not False


def _is_bounded_loop(loop: Any) -> bool:  # noqa: ANN401
    """Return whether a loop is a `for` over something whose length is known when it begins."""
    goes_on = next(next(loop.blocks()).outputs())
    always = loop.inputsAt(1).toIValue() is True and goes_on.toIValue() is True
    return always and _is_bounded_count(loop.inputsAt(0))


def _loop_depth(block: Block) -> int:
    """Return how deep loops stand in one another."""
    return max(
        (
            (node.kind() == "prim::Loop") + max(map(_loop_depth, node.blocks()), default=0)
            for node in block.nodes()
        ),
        default=0,
    )


def _is_bounded_count(value: Any) -> bool:  # noqa: ANN401
    """Return whether a number is computed from lengths, sizes and small constants."""
    node = value.node()
    if node.kind() not in LENGTH_OPERATORS:
        return False
    if node.kind() == "prim::Constant":
        number = value.toIValue()
        return isinstance(number, int) and abs(number) <= MOST_ROUNDS
    if node.kind() in ("aten::len", "aten::size", "aten::dim"):
        return True
    return all(map(_is_bounded_count, node.inputs()))


def _non_float32_dtype(constant: Any) -> str:  # noqa: ANN401
    """Return the dtype of a constant tensor if it is not float32 ("": it is)."""
    tensor = constant.output().toIValue() if constant.hasAttribute("value") else None
    if (
        not isinstance(tensor, torch.Tensor)
        or not tensor.is_floating_point()
        or tensor.numel() == 1
    ):
        return ""  # a traced number is a float64 of one element
    return "" if tensor.dtype == torch.float32 else str(tensor.dtype).removeprefix("torch.")
