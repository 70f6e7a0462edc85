"""Keras 3 on torch: .keras files and the .h5 weights of the paper's repositories, against Keras itself."""

import inspect
import json
import pickle
import sys
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import pytest
import torch
from torch import Tensor, nn

from oracles import assert_same_function
from straylight.core.errors import InputError
from straylight.models.load import ModelOptions, load_model
from straylight.models.readers.keras import import_keras, quiet
from straylight.models.readers.keras_applications import ARCHITECTURES

SIDE = 32
OPTIONS = ModelOptions(classes=("a", "b"), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
MARKER = "executed"


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    return import_keras("a test")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Reference(nn.Module):
    """Keras' own outputs for images as torch has them, as logits."""

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))

    def forward(self, images: Tensor) -> Tensor:
        normalised = (images - self.mean) / self.std
        outputs: Tensor = self.model(normalised.movedim(1, -1), training=False)
        return outputs.log()


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
    with quiet():
        other.set_weights(model.get_weights())
    save(other, "other.keras")
    spec = ModelOptions(**(vars(options) | {"head": "logits"}))
    assert load_model("other.keras", spec).sha256 != found.sha256


def save(model: nn.Module, path: str) -> None:
    with quiet():  # Keras' torch backend and numpy 2
        model.save(path)


def repository_model(keras: ModuleType, name: str, *, nested: bool) -> nn.Module:
    """The networks of MedicalAI-UAP, as their authors build them: flat for RGB, nested for grey."""
    keras.utils.set_random_seed(1)
    base = getattr(keras.applications, ARCHITECTURES[name])(
        include_top=False, weights=None, input_shape=(SIDE, SIDE, 3)
    )
    layers = keras.layers
    if nested:
        images = keras.Input((SIDE, SIDE, 1))
        features = base(layers.Concatenate()([images] * 3))
    else:
        images, features = base.input, base.output
    pooled = layers.GlobalAveragePooling2D()(features)
    return keras.Model(images, layers.Dense(3, activation="softmax")(pooled))


@pytest.mark.parametrize(
    ("file", "nested"), [("w.h5", False), ("w.h5", True), ("w.weights.h5", False)]
)
def test_weights_of_the_papers_repositories(
    keras: ModuleType, here: Path, file: str, nested: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(x - 128) / 128 on grey levels, and grey images repeated inside."""
    from keras.src.applications.densenet import DenseNet

    # With one block of each kind it is built in a tenth of the time.
    short = partial(DenseNet, [1, 1, 1, 1], name="densenet121")
    monkeypatch.setattr(keras.applications, "DenseNet121", short)
    model = repository_model(keras, "densenet121", nested=nested)
    with quiet():
        write_legacy(model, Path(file)) if file == "w.h5" else model.save_weights(file)
    options = ModelOptions(weights=file, classes=("a", "b", "c"), size=SIDE, grey=nested)
    found = load_model("keras:densenet121", options)
    assert found.shape == (1 if nested else 3, SIDE, SIDE)
    assert found.card["head"] == "probabilities"
    assert_same_function(found, Reference(model, [128 / 255], [128 / 255]), SIDE)
    assert len(found.sha256) == 64


def write_legacy(model: nn.Module, path: Path) -> None:
    """Write weights with Keras' own function for its older format."""
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as stored:
        legacy_h5_format.save_weights_to_hdf5_group(stored, model)


def test_the_names_are_those_of_keras(keras: ModuleType) -> None:
    """Each of the seven, with the first layer, the input and the output that `build` relies on."""
    assert len(ARCHITECTURES) == 7
    for name, function in ARCHITECTURES.items():
        build = getattr(keras.applications, function)
        assert build.__module__.startswith("keras.src.applications.")
        # The name that Keras gives the network, by which a nested one is known in a file.
        assert inspect.signature(build).parameters["name"].default == name


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
    "lambda": (in_layer(class_name="Lambda"), r"holds keras\.layers\.Lambda, which can run code"),
    "closure": (
        in_layer(config={"activation": {"class_name": "__lambda__", "config": {"value": "x"}}}),
        "holds __lambda__, which can run code",
    ),
    "module": (in_layer(module="own_layers", class_name="Own"), r"holds own_layers\.Own"),
    "function": (in_layer(config={"activation": TOUCH}), r"holds os\.function"),
    "tool": (
        in_layer(module="keras.utils", class_name="function"),
        r"holds keras\.utils\.function",
    ),
    "loader": (
        in_layer(config={"activation": TOUCH | {"module": "keras.models", "config": "load_model"}}),
        r"holds keras\.models\.function",
    ),
    "registered": (in_layer(registered_name="own>Conv2D"), r"holds keras\.layers\.Conv2D"),
    "torch": (in_layer(class_name="TorchModuleWrapper"), "TorchModuleWrapper, which can run code"),
    "files": (
        in_layer(class_name="StringLookup"),
        "StringLookup, which can run code or read files",
    ),
    "unknown": (in_layer(class_name="Nothing"), r"holds keras\.layers\.Nothing"),
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
    refused("holds more than a network and its weights, or not these")
    write_archive({"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b"x"})
    refused("is no HDF5 file of weights")
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    save(model, "m.keras")
    refused(r"takes \(None, 5\): a classifier takes a batch of images")
    save(small(keras), "m.keras")
    refused("has its own weights", options=ModelOptions(weights="w.h5", classes=("a", "b")))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    refused("needs Keras on torch, but it was imported on jax")
    monkeypatch.setitem(sys.modules, "keras", None)
    refused(r"needs Keras: 'pip install straylight\[keras\]'")


def test_what_is_wrong_with_keras_weights_is_told(keras: ModuleType, here: Path) -> None:
    def refused(message: str, spec: str = "keras:vgg16", **said: object) -> None:
        with pytest.raises(InputError, match=message):
            load_model(spec, ModelOptions(**{"classes": ("a", "b"), "size": SIDE} | said))

    refused("is not known: keras: has densenet121, densenet169", "keras:vgg", weights="w.h5")
    refused(r"needs --weights FILE\.h5 and --classes")
    refused(r"needs --weights FILE\.h5", weights="w.safetensors")
    refused(r"w\.h5 does not exist", weights="w.h5")
    refused("is weights without a network", "w.h5")
    Path("w.h5").write_bytes(pickle.dumps("x"))
    refused("is no HDF5 file of weights", weights="w.h5")
    with h5py.File("secret.h5", "w") as stored:
        stored["a"] = [1.0]
    with h5py.File("link.h5", "w") as stored:
        stored["layers"] = h5py.ExternalLink("secret.h5", "/a")
    refused("leads to other files", weights="link.h5")
    with h5py.File("raw.h5", "w") as stored:
        stored.create_dataset("a", (1,), dtype="u1", external=[("secret.h5", 0, 1)])
    refused("leads to other files", weights="raw.h5")
    refused("does not fit keras:vgg16 with 2 classes at 32 pixels", weights="secret.h5")
