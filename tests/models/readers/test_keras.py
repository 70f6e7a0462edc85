"""Keras 3 files: the same function, and nothing in the file is run."""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from torch import Tensor, nn

from keras_models import SIDE, Reference
from oracles import assert_same_function
from straylight.core.errors import InputError
from straylight.models.load import load_model
from straylight.models.options import ModelOptions
from straylight.models.readers.keras import import_keras, suppress_keras_warnings

OPTIONS = ModelOptions(classes=("a", "b"), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
MARKER = "executed"


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    return import_keras("a test")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def small(keras: ModuleType, channels: int = 3, side: int | None = SIDE) -> nn.Module:
    """A model with what classifiers have."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    images = keras.Input((side, side, channels))
    found = layers.Conv2D(4, 3, strides=2, activation="relu")(images)
    found = layers.BatchNormalization(moving_mean_initializer="random_normal")(found)
    found = layers.Dropout(0.5)(layers.MaxPooling2D()(found))
    found = layers.GlobalAveragePooling2D()(found)
    return keras.Model(
        images, layers.Dense(2, activation="softmax", kernel_initializer="he_normal")(found)
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_a_keras_file_is_the_same_function(keras: ModuleType, here: Path, channels: int) -> None:
    options = ModelOptions(
        **(vars(OPTIONS) | {"mean": (0.5,) * channels, "std": (0.25,) * channels})
    )
    model = small(keras, channels)
    save(model, "m.keras")
    found = load_model("m.keras", options)
    assert (found.shape, found.card["head"]) == ((channels, SIDE, SIDE), "probabilities")
    assert_same_function(found, Reference(model, options.mean, options.std), SIDE)
    # The same weights in another network are another digest.
    other = keras.Sequential([*model.layers[:-1], keras.layers.Dense(2, activation="sigmoid")])
    with suppress_keras_warnings():
        other.set_weights(model.get_weights())
    save(other, "other.keras")
    spec = ModelOptions(**(vars(options) | {"head": "logits"}))
    assert load_model("other.keras", spec).sha256 != found.sha256


def save(model: nn.Module, path: str) -> None:
    with suppress_keras_warnings():  # Keras' torch backend and numpy 2
        model.save(path)


def change_config(change: Callable[[dict[str, Any]], object]) -> None:
    """Change the configuration in m.keras."""
    with zipfile.ZipFile("m.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    write_archive(members)


def write_archive(members: dict[str, bytes]) -> None:
    with zipfile.ZipFile("m.keras", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def in_layer(**fields: object) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1].update(fields)

    return change


TOUCH = {"class_name": "function", "config": "system", "module": "os", "registered_name": "system"}
HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "lambda": (
        in_layer(class_name="Lambda"),
        r"contains keras\.layers\.Lambda, which can run code",
    ),
    "closure": (
        in_layer(config={"activation": {"class_name": "__lambda__", "config": {"value": "x"}}}),
        "contains __lambda__, which can run code",
    ),
    "module": (in_layer(module="own_layers", class_name="Own"), r"contains own_layers\.Own"),
    "function": (in_layer(config={"activation": TOUCH}), r"contains os\.function"),
    "tool": (
        in_layer(module="keras.utils", class_name="function"),
        r"contains keras\.utils\.function",
    ),
    "loader": (
        in_layer(config={"activation": TOUCH | {"module": "keras.models", "config": "load_model"}}),
        r"contains keras\.models\.function",
    ),
    "registered": (in_layer(registered_name="own>Conv2D"), r"contains keras\.layers\.Conv2D"),
    "torch": (in_layer(class_name="TorchModuleWrapper"), "TorchModuleWrapper, which can run code"),
    "files": (
        in_layer(class_name="StringLookup"),
        "StringLookup, which can run code or read files",
    ),
    "unknown": (in_layer(class_name="Nothing"), r"contains keras\.layers\.Nothing"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_keras_files_are_refused(
    kind: str, keras: ModuleType, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("own_layers.py").write_text(f"import pathlib; pathlib.Path('{MARKER}').touch()")
    monkeypatch.syspath_prepend(here)
    save(small(keras), "m.keras")
    change, message = HOSTILE[kind]
    change_config(change)
    with pytest.raises(InputError, match=message):
        load_model("m.keras", OPTIONS)
    assert not Path(MARKER).exists()


def test_a_real_lambda_layer_is_not_run(keras: ModuleType, here: Path) -> None:
    images = keras.Input((SIDE, SIDE, 3))

    def touch(tensor: Tensor) -> Tensor:
        Path("executed").touch()
        return tensor

    found = keras.layers.Lambda(touch)(images)
    save(keras.Model(images, keras.layers.GlobalAveragePooling2D()(found)), "m.keras")
    Path(MARKER).unlink()  # building runs it
    with pytest.raises(InputError, match="Lambda, which can run code"):
        load_model("m.keras", OPTIONS)
    assert not Path(MARKER).exists()


def test_what_is_wrong_with_keras_files_is_told(
    keras: ModuleType, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(message: str, spec: str = "m.keras", options: ModelOptions = OPTIONS) -> None:
        with pytest.raises(InputError, match=message):
            load_model(spec, options)

    refused("does not exist")
    Path("m.keras").write_bytes(b"x")
    refused("is a broken archive")
    write_archive({"config.json": b"{}"})
    refused("does not contain exactly a network and its weights")
    write_archive({"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b"x"})
    refused("is not an HDF5 weights file")
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    save(model, "m.keras")
    refused(r"takes \(None, 5\): a classifier takes a batch of images")
    save(small(keras), "m.keras")
    refused("has its own weights", options=ModelOptions(weights="w.h5", classes=("a", "b")))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    refused("needs Keras on torch, but it was imported on jax")
    monkeypatch.setitem(sys.modules, "keras", None)
    refused(r"needs Keras: 'pip install straylight\[keras\]'")
