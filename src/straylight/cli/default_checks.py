"""A cheap check of the defaults of options, so that `--help` need not import typeguard."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

IsInstance = Callable[[Any, Any], bool]


@cache
def use_cheap_default_checks() -> None:
    """Let tyro check tuples without typeguard, whose import takes a quarter of the time of `--help`.

    tyro has no setting for this. With a version of tyro that has no such function nothing is replaced:
    `--help` is slower then, and tests/test_startup.py fails.
    """
    with suppress(ImportError, AttributeError):
        from tyro import _resolver

        _resolver.is_instance = partial(_is_default_of, _resolver.is_instance)


def _is_default_of(is_instance: IsInstance, typ: Any, value: Any) -> bool:  # noqa: ANN401
    """Return whether a default fits an annotation; `is_instance` checks what is not a tuple.

    >>> def is_instance(typ, value): return isinstance(value, typ)
    >>> _is_default_of(is_instance, tuple[str, ...] | None, ("a", "b"))
    True
    >>> _is_default_of(is_instance, tuple[int, str], (1, 2))
    False
    """
    origin, parts = get_origin(typ), get_args(typ)
    if origin in (Union, UnionType):
        return any(_is_default_of(is_instance, part, value) for part in parts)
    if origin is Annotated:
        return _is_default_of(is_instance, parts[0], value)
    if origin is not tuple:
        return is_instance(typ, value)
    if not isinstance(value, tuple):
        return False
    if parts[1:] == (...,):
        return all(_is_default_of(is_instance, parts[0], item) for item in value)
    return len(parts) == len(value) and all(
        _is_default_of(is_instance, part, item) for part, item in zip(parts, value, strict=True)
    )
