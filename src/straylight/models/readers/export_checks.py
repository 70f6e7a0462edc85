"""What the program of a .pt2 file may hold: tensor operators, plain names, nothing that is evaluated."""

import json
import re
from collections.abc import Iterator
from typing import Any

from straylight.core.errors import InputError, listed, quoted
from straylight.models.readers.torch_operators import allowed

ATEN = re.compile(r"torch\.ops\.aten\.(?!__)(\w+)\.(?!__)\w+", re.ASCII)
# Arithmetic of sizes; a batch of any size needs it.
SIZES = re.compile(
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|getitem|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|math\.(ceil|floor|trunc)|torch\.sym_(int|float|max|min|not)"
)
# sympy's own words in a symbolic size such as Mul(Integer(2), Symbol('s77', integer=True)).
WORDS = {
    *("Symbol", "Integer", "Add", "Mul", "Max", "Min", "FloorDiv", "CeilDiv", "CleanDiv", "Mod"),
    *("PythonMod", "positive", "nonnegative", "integer", "True", "False"),
    *("Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan"),
}
EXPRESSION = re.compile(r"[\w ,()='-]*", re.ASCII)
SYMBOL = re.compile(r"[a-z]{1,2}\d+", re.ASCII)
DOTTED = re.compile(r"[\w.]*", re.ASCII)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
NAMES = {"name", "as_name", "forward_arg_names"}
TREES = {None, "builtins.tuple", "builtins.list", "builtins.dict"}
TEXTS = {"expr_str", "in_spec", "out_spec", "as_string", "as_strings"}  # looked at elsewhere
OTHERS = {"as_graph", "as_operator", "as_custom_obj", "custom_obj", "token", "constant_input"}


class Refused(Exception):  # noqa: N818 (a reason, ends in a sentence for the user)
    """Why a program is not read, as what it does."""


def check_program(program: dict[str, Any]) -> dict[str, Any]:
    """Return a program without what is not needed of it, if all the rest is plain.

    Raises:
        Refused: If something is not.
    """
    graph = program["graph_module"]
    check_outputs(graph["signature"])
    program["guards_code"] = []
    program.pop("torch_version", None)
    graph["metadata"], graph["treespec_namedtuple_fields"] = {}, {}
    graph["module_call_graph"] = [c for c in graph["module_call_graph"] if c["fqn"] == ""]
    for table in tables(program):
        if "target" in table and "inputs" in table:
            table["metadata"] = {}
            check_operator(str(table["target"]))
            check_mode(table["inputs"])
        for key in OTHERS & set(table):
            raise Refused(f"holds {key.removeprefix('as_')} arguments, which are no plain tensors")
        if "expr_str" in table:
            check_expression(table["expr_str"])
        for key in ("in_spec", "out_spec"):
            if key in table:
                check_tree(json.loads(table[key])[1])
    check_strings(program)
    return program


def tables(value: object) -> Iterator[dict[str, Any]]:
    """List all tables in plain data, at any depth, outer ones first."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from tables(item)


def check_operator(target: str) -> None:
    """Raise unless an operator is one of aten that only computes, or arithmetic of sizes."""
    found = ATEN.fullmatch(target)
    if (found is None or not allowed(f"aten::{found.group(1)}")) and not SIZES.fullmatch(target):
        raise Refused(f"calls '{quoted(target)}', which is not a plain tensor operator")


def check_outputs(signature: dict[str, Any]) -> None:
    """Raise if a program changes its weights or its images while it answers."""
    for output in signature["output_specs"]:
        if set(output) != {"user_output"}:
            raise Refused(f"changes itself while it answers ({listed(sorted(output))})")


def check_mode(inputs: list[dict[str, Any]]) -> None:
    """Check that no batch norm or dropout is as in training."""
    if any(i["name"] in ("training", "train") and i["arg"].get("as_bool") for i in inputs):
        raise Refused("was exported in training mode (call network.eval() first)")


def check_expression(text: str) -> None:
    """Check that a symbolic size is made of sympy's numbers and symbols alone: it is evaluated."""
    words = re.findall(r"[A-Za-z_]\w*", text)
    if not EXPRESSION.fullmatch(text) or not all(w in WORDS or SYMBOL.fullmatch(w) for w in words):
        raise Refused(f"has a size that is no plain expression ('{quoted(text)}')")


def check_tree(tree: dict[str, Any]) -> None:
    """Check that arguments and outputs are tuples, lists and dictionaries: other kinds are imported."""
    context = json.loads(tree["context"]) if tree["context"] else []
    plain = context is None or (
        isinstance(context, list) and all(IDENTIFIER.fullmatch(str(key)) for key in context)
    )
    if tree["type"] not in TREES or not plain:
        raise Refused(f"takes or gives a '{quoted(tree['type'])}'")
    for child in tree["children_spec"]:
        check_tree(child)


def check_strings(value: object, key: str = "") -> None:
    """Check that all strings are plain names: torch writes them into Python source, and runs it.

    Texts that operators take (a mode, an equation) are written there quoted.
    """
    if isinstance(value, dict):
        for inner, item in value.items():
            check_strings(inner)
            check_strings(item, inner)
    elif isinstance(value, list):
        for item in value:
            check_strings(item, key)
    elif isinstance(value, str) and key not in TEXTS:
        allowed = IDENTIFIER if key in NAMES and value else DOTTED
        if not allowed.fullmatch(value):
            raise Refused(f"has a name that is no plain one ('{quoted(value)}')")


def image_of(spec: str, program: dict[str, Any]) -> tuple[int | None, ...]:
    """Return batch, channels, height and width of the input (none: of any size).

    Raises:
        InputError: If it takes something else than one batch of images.
    """
    module = program["graph_module"]
    inputs = [s["user_input"] for s in module["signature"]["input_specs"] if "user_input" in s]
    names = [i["arg"].get("as_tensor", {}).get("name") for i in inputs]
    if len(names) != 1 or names[0] not in module["graph"]["tensor_values"]:
        raise InputError(f"{spec} takes {len(names)} inputs: a classifier takes a batch of images.")
    sizes = module["graph"]["tensor_values"][names[0]]["sizes"]
    if len(sizes) != 4:
        raise InputError(f"{spec} takes tensors of {len(sizes)} dimensions, not batches of images.")
    return tuple(size.get("as_int") for size in sizes)
