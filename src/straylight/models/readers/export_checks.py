"""Check the program in a .pt2 file: tensor operators and plain names only, nothing that is evaluated."""

import json
import re
from collections.abc import Iterator
from typing import Any

from straylight.core.errors import InputError, join_names, quote_text
from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.torch_operators import is_allowed_operator

ATEN_OPERATOR = re.compile(r"torch\.ops\.aten\.(?!__)(\w+)\.(?!__)\w+", re.ASCII)
# Arithmetic with sizes, needed for a dynamic batch size.
SIZE_ARITHMETIC = re.compile(
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|getitem|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|math\.(ceil|floor|trunc)|torch\.sym_(int|float|max|min|not)"
)
# sympy's names in a symbolic size such as Mul(Integer(2), Symbol('s77', integer=True)).
SYMPY_NAMES = {
    *("Symbol", "Integer", "Add", "Mul", "Max", "Min", "FloorDiv", "CeilDiv", "CleanDiv", "Mod"),
    *("PythonMod", "positive", "nonnegative", "integer", "True", "False"),
    *("Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan"),
}
EXPRESSION = re.compile(r"[\w ,()='-]*", re.ASCII)
SYMBOL = re.compile(r"[a-z]{1,2}\d+", re.ASCII)
DOTTED = re.compile(r"[\w.]*", re.ASCII)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
NAME_KEYS = {"name", "as_name", "forward_arg_names"}
CONTAINER_TYPES = {None, "builtins.tuple", "builtins.list", "builtins.dict"}
TEXT_KEYS = {"expr_str", "in_spec", "out_spec", "as_string", "as_strings"}  # checked elsewhere
FORBIDDEN_ARGUMENTS = {
    "as_graph",
    "as_operator",
    "as_custom_obj",
    "custom_obj",
    "token",
    "constant_input",
}


def check_program(program: dict[str, Any]) -> dict[str, Any]:
    """Return a program without its unneeded parts, after checking everything else.

    Raises:
        UnsupportedModelError: If something in it is not allowed.
    """
    graph = program["graph_module"]
    _check_no_mutation(graph["signature"])
    program["guards_code"] = []
    program.pop("torch_version", None)
    graph["metadata"], graph["treespec_namedtuple_fields"] = {}, {}
    graph["module_call_graph"] = [c for c in graph["module_call_graph"] if c["fqn"] == ""]
    for table in iterate_tables(program):
        if "target" in table and "inputs" in table:
            table["metadata"] = {}
            _check_operator(str(table["target"]))
            _check_evaluation_mode(table["inputs"])
        for key in FORBIDDEN_ARGUMENTS & set(table):
            raise UnsupportedModelError(
                f"contains {key.removeprefix('as_')} arguments, which are not plain tensors"
            )
        if "expr_str" in table:
            _check_size_expression(table["expr_str"])
        for key in ("in_spec", "out_spec"):
            if key in table:
                _check_argument_tree(json.loads(table[key])[1])
    check_strings(program)
    return program


def iterate_tables(value: object) -> Iterator[dict[str, Any]]:
    """Yield all dictionaries in plain data, at any depth, outer ones first."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from iterate_tables(item)


def _check_operator(target: str) -> None:
    """Raise unless an operator is an allowed aten operator or arithmetic with sizes."""
    found = ATEN_OPERATOR.fullmatch(target)
    if (
        found is None or not is_allowed_operator(f"aten::{found.group(1)}")
    ) and not SIZE_ARITHMETIC.fullmatch(target):
        raise UnsupportedModelError(
            f"calls '{quote_text(target)}', which is not a plain tensor operator"
        )


def _check_no_mutation(signature: dict[str, Any]) -> None:
    """Raise if a program modifies its weights or its input."""
    for output in signature["output_specs"]:
        if set(output) != {"user_output"}:
            raise UnsupportedModelError(
                f"modifies its own state when it runs ({join_names(sorted(output))})"
            )


def _check_evaluation_mode(inputs: list[dict[str, Any]]) -> None:
    """Raise if a batch norm or dropout is in training mode."""
    if any(i["name"] in ("training", "train") and i["arg"].get("as_bool") for i in inputs):
        raise UnsupportedModelError("was exported in training mode (call network.eval() first)")


def _check_size_expression(text: str) -> None:
    """Raise unless a symbolic size, which torch evaluates, consists of sympy's numbers and symbols."""
    words = re.findall(r"[A-Za-z_]\w*", text)
    if not EXPRESSION.fullmatch(text) or not all(
        w in SYMPY_NAMES or SYMBOL.fullmatch(w) for w in words
    ):
        raise UnsupportedModelError(
            f"has a size that is not a plain expression ('{quote_text(text)}')"
        )


def _check_argument_tree(tree: dict[str, Any]) -> None:
    """Raise unless arguments and outputs are tuples, lists and dictionaries: torch imports other types."""
    context = json.loads(tree["context"]) if tree["context"] else []
    plain = context is None or (
        isinstance(context, list) and all(IDENTIFIER.fullmatch(str(key)) for key in context)
    )
    if tree["type"] not in CONTAINER_TYPES or not plain:
        raise UnsupportedModelError(f"takes or returns a '{quote_text(tree['type'])}'")
    for child in tree["children_spec"]:
        _check_argument_tree(child)


def check_strings(value: object, key: str = "") -> None:
    """Raise unless all strings are plain names: torch writes them into Python source and runs it.

    String arguments of operators (a mode, an equation) are quoted there, and not checked.
    """
    if isinstance(value, dict):
        for inner, item in value.items():
            check_strings(inner)
            check_strings(item, inner)
    elif isinstance(value, list):
        for item in value:
            check_strings(item, key)
    elif isinstance(value, str) and key not in TEXT_KEYS:
        allowed = IDENTIFIER if key in NAME_KEYS and value else DOTTED
        if not allowed.fullmatch(value):
            raise UnsupportedModelError(
                f"has a name that is not an identifier ('{quote_text(value)}')"
            )


def exported_input_shape(spec: str, program: dict[str, Any]) -> tuple[int | None, ...]:
    """Return batch, channels, height and width of a program's input (None: any size).

    Raises:
        InputError: If its input is not one batch of images.
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
