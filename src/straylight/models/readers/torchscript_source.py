"""Check the source of a TorchScript program as a syntax tree, and rewrite it from that tree.

The language is a subset of Python, so Python's parser can read it. torch compiles the text generated from
the checked tree, without comments, so that the two parsers cannot see different content.
"""

import ast
import pickletools
import re
from collections.abc import Iterator

import torch

from straylight.core.errors import quote_text
from straylight.models.readers.torch_operators import PRIM, is_known_operator

LONGEST_SOURCE = 2**23  # bytes of one source file: the largest networks have some hundred thousand
# Functions called by a bare name in serialised code.
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
SPECIAL_METHODS = {"__init__", "__len__", "__contains__"}
# Methods that torch generates for a module's properties.
GETTER = re.compile(r"__\w+_getter", re.ASCII)
# Special names that a class body may assign.
CLASS_FIELDS = {"__parameters__", "__buffers__", "__annotations__"}
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
# Classes and functions that an object table may name: the program's own, and those for plain tensors.
TABLE_NAMES = re.compile(
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


class UnsafeTorchScriptError(Exception):
    """Names what a program uses that a classifier does not need."""


def rewrite_source(text: bytes) -> bytes:
    """Check a source file, and return it regenerated from its syntax tree.

    Raises:
        UnsafeTorchScriptError: If it uses what no classifier needs.
        ValueError: If it cannot be parsed.
    """
    if len(text) > LONGEST_SOURCE:
        raise UnsafeTorchScriptError(f"{len(text) // 2**20} MiB of source")
    try:
        tree = ast.parse(text.decode("utf-8"))
        own = _own_functions(tree)
        for node in ast.walk(tree):
            _check_syntax_node(node, own)
        return (ast.unparse(tree) + "\n").encode()
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"its source cannot be parsed: {type(error).__name__}") from error


def _own_functions(tree: ast.Module) -> set[str]:
    """Return the short names that the source assigns to the program's own functions."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _dotted_name(node.value)[0] == "__torch__"
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _check_syntax_node(node: ast.AST, own: set[str]) -> None:
    """Raise if a syntax node does anything but compute."""
    if not isinstance(node, (*STATEMENTS, *EXPRESSIONS)) or (
        isinstance(node, ast.expr) and not isinstance(node, EXPRESSIONS)
    ):
        raise UnsafeTorchScriptError(f"{type(node).__name__.lower()} statements")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if not re.sub(r"[\n\t]", "", node.value).isprintable():
            raise UnsafeTorchScriptError("control characters")
    elif isinstance(node, ast.ClassDef):
        _check_class_body(node)
    elif isinstance(node, ast.FunctionDef):
        if node.decorator_list or not _is_allowed_method_name(node.name):
            raise UnsafeTorchScriptError(node.name)
    elif isinstance(node, ast.Call):
        _check_call(node.func, own)
    elif isinstance(node, ast.Attribute):
        _check_dotted_name(_dotted_name(node))


def _is_allowed_method_name(name: str) -> bool:
    """Return whether a method name is allowed: it neither runs during loading nor hides an operator."""
    if name in SPECIAL_METHODS or GETTER.fullmatch(name):
        return True
    return not (name.startswith("__") or _is_refused(name))


def _check_dotted_name(path: list[str]) -> None:
    """Raise if a dotted name is not of the program itself, an operator or a constant."""
    name = ".".join(path)
    if ".torch.classes" in name or path[:2] == ["torch", "classes"]:
        raise UnsafeTorchScriptError("torch.classes")
    if path[0] == "torch" and (
        len(path) > 2 or not (_is_operator(path[1]) or path[1] in CONSTANTS)
    ):
        raise UnsafeTorchScriptError(name)
    if path[0] == "ops" and len(path) > 1:
        known = len(path) < 4 and path[1] in ("prim", "aten")
        if not known or (len(path) == 3 and not _is_operator(path[2])):
            raise UnsafeTorchScriptError(name)


def _check_class_body(node: ast.ClassDef) -> None:
    """Raise if a class contains anything but attributes and functions."""
    if node.decorator_list or node.keywords or [ast.unparse(b) for b in node.bases] not in (
        ["Module"], [], ["NamedTuple"], ["Enum"],
    ):  # fmt: skip
        raise UnsafeTorchScriptError(f"a class of another kind than a module ({node.name})")
    for item in node.body:
        if isinstance(item, ast.Assign):
            for target in item.targets:
                base = target.value if isinstance(target, ast.Subscript) else target
                if not isinstance(base, ast.Name) or (
                    base.id.startswith("__") and base.id not in CLASS_FIELDS
                ):
                    raise UnsafeTorchScriptError(ast.unparse(base)[:80])


def _check_call(function: ast.expr, own: set[str]) -> None:
    """Raise if a called function is neither the program's own nor an allowed operator."""
    if isinstance(function, ast.Name):
        if function.id not in BUILTINS and function.id not in own:
            raise UnsafeTorchScriptError(function.id)
        return
    if not isinstance(function, ast.Attribute):
        raise UnsafeTorchScriptError("a call of no named function")
    # Names below `torch` and `ops` are checked elsewhere; others are methods or the program's functions.
    if _dotted_name(function)[0] not in ("__torch__", "torch", "ops") and _is_refused(
        function.attr
    ):
        raise UnsafeTorchScriptError(function.attr)


def _dotted_name(node: ast.expr) -> list[str]:
    """Return the parts of a dotted name; the first is empty for an attribute of an expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id if isinstance(node, ast.Name) else "", *reversed(names)]


def _is_operator(name: str) -> bool:
    """Return whether a name is of an allowed operator."""
    return name in PRIM or is_known_operator(name)


def _is_refused(name: str) -> bool:
    """Return whether torch has an operator of this name and it is not allowed."""
    schemas = torch._C._jit_get_schemas_for_operator
    known = any(schemas(f"{space}::{name}") for space in ("aten", "prim"))
    return known and not _is_operator(name)


def check_object_table(data: bytes) -> None:
    """Check that an object table names only the program's classes and those for plain tensors.

    Raises:
        UnsafeTorchScriptError: If it names another class or function.
        ValueError: If it is broken.
    """
    try:
        for name in _pickle_globals(data):
            if not TABLE_NAMES.fullmatch(name) or ".torch.classes" in name:
                raise UnsafeTorchScriptError(quote_text(name))
    except (IndexError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError("its object table is broken") from error


def _pickle_globals(data: bytes) -> Iterator[str]:
    """Yield the classes and functions that a pickle names, without unpickling it."""
    for opcode, argument, _place in pickletools.genops(data):
        if not OPCODES.fullmatch(opcode.name):
            raise UnsafeTorchScriptError(f"the pickle opcode {opcode.name}")
        if opcode.name == "GLOBAL":
            # "module name", separated by one space; torch joins them with a dot.
            yield str(argument).replace(" ", ".", 1)
