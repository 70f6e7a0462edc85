"""The list of operators that a program may use."""

from straylight.models.readers.torch_operators import is_allowed_operator


def test_operators_are_a_list() -> None:
    for name in (
        "aten::save",
        "aten::from_file",
        "aten::rand",
        "aten::normal_",
        "aten::empty",
        "prim::Print",
    ):
        assert not is_allowed_operator(name)
    assert is_allowed_operator("aten::conv2d")
    assert is_allowed_operator("aten::relu_")
