"""The allow-list of Keras classes and functions."""

import pytest

from straylight.models.readers.keras_layers import is_allowed_keras_class


@pytest.mark.parametrize(
    ("name", "module", "config"),
    [
        ("Conv2D", "keras.layers", {}),
        ("Dense", None, {}),
        ("Functional", "keras.src.models.functional", {}),
        ("GlorotUniform", "keras.initializers", {}),
        ("Add", "keras.src.ops.numpy", {}),
        ("function", "builtins", "relu"),
    ],
)
def test_layers_and_arithmetic_are_allowed(name: str, module: str | None, config: object) -> None:
    assert is_allowed_keras_class(name, module, config)


@pytest.mark.parametrize(
    ("name", "module", "config"),
    [
        ("Lambda", "keras.layers", {}),
        ("TorchModuleWrapper", None, {}),
        ("Conv2D", "own", {}),
        ("Conv2D", "keras_own.layers", {}),
        ("LoadModel", "keras.src.ops.numpy", {}),
        ("function", "os", "system"),
        ("function", "builtins", "a.b"),
        ("function", "builtins", {}),
    ],
)
def test_everything_else_is_not(name: str, module: str | None, config: object) -> None:
    assert not is_allowed_keras_class(name, module, config)
