"""The source of a TorchScript program, checked as a syntax tree and written anew from it.

The language is a part of Python's, so Python's parser reads it. What torch compiles is the text made from
the tree that was looked at, without comments: the two cannot see different things in it.
"""

import ast
import pickletools
import re
from collections.abc import Iterator

import torch

from straylight.core.errors import quoted
from straylight.models.readers.torch_operators import PRIM, is_known

LONGEST = 2**23  # bytes of one file of source: the largest networks have some hundred thousand
# Functions that stand alone in serialised code.
BUILTINS = {
    *(
        "annotate",
        "getattr",
        "uninitialized",
        "unchecked_cast",
        "isinstance",
        "int",
        "float",
        "bool",
    ),
    *("len", "range", "min", "max", "str", "list", "abs", "round", "tuple", "ord", "hasattr"),
}
CONSTANTS = {"inf", "nan", "pi", "device", "dtype", "Size", "strided"}
SPECIAL = {"__init__", "__len__", "__contains__"}
# Methods that torch makes of a module's properties.
GETTER = re.compile(r"__\w+_getter", re.ASCII)
# What a class body may say of itself besides its attributes.
TABLES = {"__parameters__", "__buffers__", "__annotations__"}
STATEMENTS = (
    *(ast.Module, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.AnnAssign),
    *(
        ast.Return,
        ast.If,
        ast.For,
        ast.While,
        ast.Break,
        ast.Continue,
        ast.Pass,
        ast.Expr,
        ast.Assert,
    ),
    *(ast.expr, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.keyword),
)
EXPRESSIONS = (
    *(
        ast.Name,
        ast.Attribute,
        ast.Call,
        ast.Constant,
        ast.Tuple,
        ast.List,
        ast.Dict,
        ast.Subscript,
    ),
    *(ast.Slice, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp),
)
# Classes and functions that an object table may name: of the program itself, and those of plain tensors.
TABLE = re.compile(
    r"__torch__(\.[A-Za-z_]\w*)+|torch\._utils\._rebuild_(tensor_v2|parameter)|torch\.\w+Storage"
    r"|collections\.OrderedDict|torch\.jit\._pickle\.(build_\w+list|restore_type_tag|build_tensor_from_id)"
    r"|torch\.(device|Size)",
    re.ASCII,
)
OPCODES = re.compile(
    r"PROTO|FRAME|STOP|MARK|POP|(EMPTY_)?(TUPLE|LIST|DICT)[123]?|APPENDS?|SETITEMS?|(LONG_)?BIN(PUT|GET)|MEMOIZE"
    r"|NONE|NEW(TRUE|FALSE)|(BIN)?(INT|FLOAT)[12]?|LONG[14]?|(SHORT_)?BIN(UNICODE|STRING)8?|GLOBAL|NEWOBJ|BUILD"
    r"|REDUCE|BINPERSID"
)


class Suspicious(Exception):  # noqa: N818 (what was found, a word for the user)
    """What a program uses that a classifier does not need."""


def checked_source(text: bytes) -> bytes:
    """Return a file of source, written anew.

    Raises:
        Suspicious: If it uses what no classifier needs.
        ValueError: If it is no source.
    """
    if len(text) > LONGEST:
        raise Suspicious(f"{len(text) // 2**20} MiB of source")
    try:
        tree = ast.parse(text.decode("utf-8"))
        own = _own_functions(tree)
        for node in ast.walk(tree):
            _check(node, own)
        return (ast.unparse(tree) + "\n").encode()
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"its source cannot be parsed: {type(error).__name__}") from error


def _own_functions(tree: ast.Module) -> set[str]:
    """Return the short names that the source gives to functions of the program itself."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _path(node.value)[0] == "__torch__"
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _check(node: ast.AST, own: set[str]) -> None:
    """Raise if a part of the source does something else than compute."""
    if not isinstance(node, (*STATEMENTS, *EXPRESSIONS)) or (
        isinstance(node, ast.expr) and not isinstance(node, EXPRESSIONS)
    ):
        raise Suspicious(f"{type(node).__name__.lower()} statements")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if not re.sub(r"[\n\t]", "", node.value).isprintable():
            raise Suspicious("control characters")
    elif isinstance(node, ast.ClassDef):
        _check_body(node)
    elif isinstance(node, ast.FunctionDef):
        if node.decorator_list or not _is_plain(node.name):
            raise Suspicious(node.name)
    elif isinstance(node, ast.Call):
        _check_call(node.func, own)
    elif isinstance(node, ast.Attribute):
        _check_path(_path(node))


def _is_plain(name: str) -> bool:
    """Return whether a function may have a name: it neither runs while loading nor hides an operator."""
    if name in SPECIAL or GETTER.fullmatch(name):
        return True
    return not (name.startswith("__") or _is_refused(name))


def _check_path(path: list[str]) -> None:
    """Raise if a dotted name leads to something else than the program, an operator or a constant."""
    name = ".".join(path)
    if ".torch.classes" in name or path[:2] == ["torch", "classes"]:
        raise Suspicious("torch.classes")
    if path[0] == "torch" and (
        len(path) > 2 or not (_is_operator(path[1]) or path[1] in CONSTANTS)
    ):
        raise Suspicious(name)
    if path[0] == "ops" and len(path) > 1:
        known = len(path) < 4 and path[1] in ("prim", "aten")
        if not known or (len(path) == 3 and not _is_operator(path[2])):
            raise Suspicious(name)


def _check_body(node: ast.ClassDef) -> None:
    """Raise if a class holds something else than attributes and functions."""
    if node.decorator_list or node.keywords or [ast.unparse(b) for b in node.bases] not in (
        ["Module"], [], ["NamedTuple"], ["Enum"],
    ):  # fmt: skip
        raise Suspicious(f"a class of another kind than a module ({node.name})")
    for item in node.body:
        if isinstance(item, ast.Assign):
            for target in item.targets:
                base = target.value if isinstance(target, ast.Subscript) else target
                if not isinstance(base, ast.Name) or (
                    base.id.startswith("__") and base.id not in TABLES
                ):
                    raise Suspicious(ast.unparse(base)[:80])


def _check_call(function: ast.expr, own: set[str]) -> None:
    """Raise if a function that is called is neither the program's own nor an operator that computes."""
    if isinstance(function, ast.Name):
        if function.id not in BUILTINS and function.id not in own:
            raise Suspicious(function.id)
        return
    if not isinstance(function, ast.Attribute):
        raise Suspicious("a call of no named function")
    # Names below `torch` and `ops` are checked as such; others are methods, or functions of the program.
    if _path(function)[0] not in ("__torch__", "torch", "ops") and _is_refused(function.attr):
        raise Suspicious(function.attr)


def _path(node: ast.expr) -> list[str]:
    """Return the dotted name of an attribute; it begins with an empty word if it is of an expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id if isinstance(node, ast.Name) else "", *reversed(names)]


def _is_operator(name: str) -> bool:
    """Return whether a name is of an operator that computes."""
    return name in PRIM or is_known(name)


def _is_refused(name: str) -> bool:
    """Return whether torch has an operator of a name, and none that only computes."""
    schemas = torch._C._jit_get_schemas_for_operator
    known = any(schemas(f"{space}::{name}") for space in ("aten", "prim"))
    return known and not _is_operator(name)


def checked_table(data: bytes) -> None:
    """Raise if an object table names a class or a function that is not a plain tensor's or the program's.

    Raises:
        Suspicious: If it does.
        ValueError: If it is broken.
    """
    try:
        for name in _named(data):
            if not TABLE.fullmatch(name) or ".torch.classes" in name:
                raise Suspicious(quoted(name))
    except (IndexError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError("its object table is broken") from error


def _named(data: bytes) -> Iterator[str]:
    """List what a pickle names, without unpickling it."""
    for opcode, argument, _place in pickletools.genops(data):
        if not OPCODES.fullmatch(opcode.name):
            raise Suspicious(f"the pickle opcode {opcode.name}")
        if opcode.name == "GLOBAL":
            # "module name" with one blank between; torch joins them with a dot.
            yield str(argument).replace(" ", ".", 1)
