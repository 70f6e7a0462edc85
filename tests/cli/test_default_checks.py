"""Defaults of options are checked as typeguard does."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

from straylight.cli.default_checks import _is_default_of

VALUES = (
    *((), ("a",), ("a", "b"), ("a", 1), (1, 2), (1, 2, 3), (("a",), ("b", "c")), ["a"], "a", 1),
    *(None, 1.5, Path("x")),
)
TYPES = (
    *(tuple[str, ...], tuple[int, int], tuple[str, int], tuple[tuple[str, ...], ...], tuple[()]),
    *(tuple[str, ...] | None, tuple[int, int] | tuple[str, ...], str, int | None, Path | None),
    *(Annotated[tuple[str, ...], "note"], Annotated[str | None, "note"], Literal["a", "b"]),
)


def fits(typ: Any, value: Any) -> bool:  # noqa: ANN401
    """Return whether typeguard takes a value, all items of it looked at."""
    try:
        check_type(value, typ, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError:
        return False
    return True


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("typ", TYPES, ids=str)
def test_a_default_fits_as_in_typeguard(typ: Any, value: Any) -> None:  # noqa: ANN401
    assert _is_default_of(fits, typ, value) == fits(typ, value)


def test_tuples_are_checked_without_the_library() -> None:
    asked = []

    def is_instance(typ: Any, value: Any) -> bool:  # noqa: ANN401
        asked.append(typ)
        return isinstance(value, typ)

    assert _is_default_of(is_instance, Annotated[tuple[str, ...] | None, ""], ("a", "b"))
    assert set(asked) == {str}
