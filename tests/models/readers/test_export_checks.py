"""Plain values of a .pt2 program, and those that torch would evaluate."""

import pytest

from straylight.core.errors import InputError
from straylight.models.readers.export_checks import (
    check_strings,
    exported_input_shape,
    iterate_tables,
)
from straylight.models.readers.network import UnsupportedModelError


def test_tables_are_listed_at_any_depth() -> None:
    inner = {"b": [{"c": 1}]}
    assert list(iterate_tables([{"a": inner}])) == [{"a": inner}, inner, {"c": 1}]


@pytest.mark.parametrize(
    "value",
    [
        {"name": "x; import os"},
        {"target": "os.system('x')"},
        [{"a": ["b c"]}],
        {"a key": 1},
        {"name": "torch.nn"},
    ],
)
def test_strings_that_are_not_plain_names_are_refused(value: object) -> None:
    with pytest.raises(UnsupportedModelError, match="has a name that is not an identifier"):
        check_strings(value)


def test_plain_names_and_quoted_texts_are_allowed() -> None:
    check_strings({"name": "conv_1", "target": "torch.ops.aten.relu.default", "as_string": "a b"})


def test_the_input_is_one_batch_of_images() -> None:
    def program(*sizes: dict[str, int]) -> dict[str, object]:
        specs = [{"user_input": {"arg": {"as_tensor": {"name": "x"}}}}]
        graph = {"tensor_values": {"x": {"sizes": list(sizes)}}}
        return {"graph_module": {"signature": {"input_specs": specs}, "graph": graph}}

    sizes = ({"as_expr": 0}, {"as_int": 3}, {"as_int": 8}, {"as_int": 9})
    assert exported_input_shape("m.pt2", program(*sizes)) == (None, 3, 8, 9)
    with pytest.raises(InputError, match="takes tensors of 2 dimensions"):
        exported_input_shape("m.pt2", program(*sizes[:2]))
