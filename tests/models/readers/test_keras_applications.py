"""Networks of keras.applications with the weights of the paper's repositories."""

import inspect
import pickle
from functools import partial
from pathlib import Path
from types import ModuleType

import h5py
import pytest
from torch import nn

from keras_models import SIDE, Reference
from oracles import assert_same_function
from straylight.core.errors import InputError
from straylight.models.load import load_model
from straylight.models.options import ModelOptions
from straylight.models.readers.keras import import_keras, suppress_keras_warnings
from straylight.models.readers.keras_applications import ARCHITECTURES


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    return import_keras("a test")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
    with suppress_keras_warnings():
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


def test_what_is_wrong_with_keras_weights_is_told(keras: ModuleType, here: Path) -> None:
    def refused(message: str, spec: str = "keras:vgg16", **said: object) -> None:
        with pytest.raises(InputError, match=message):
            load_model(spec, ModelOptions(**{"classes": ("a", "b"), "size": SIDE} | said))

    refused(
        "is not known: give keras: and one of densenet121, densenet169", "keras:vgg", weights="w.h5"
    )
    refused(r"needs --weights FILE\.h5 and --classes")
    refused(r"needs --weights FILE\.h5", weights="w.safetensors")
    refused(r"w\.h5 does not exist", weights="w.h5")
    refused("contains weights without a network", "w.h5")
    Path("w.h5").write_bytes(pickle.dumps("x"))
    refused("is not an HDF5 weights file", weights="w.h5")
    with h5py.File("secret.h5", "w") as stored:
        stored["a"] = [1.0]
    with h5py.File("link.h5", "w") as stored:
        stored["layers"] = h5py.ExternalLink("secret.h5", "/a")
    refused("leads to other files", weights="link.h5")
    with h5py.File("raw.h5", "w") as stored:
        stored.create_dataset("a", (1,), dtype="u1", external=[("secret.h5", 0, 1)])
    refused("leads to other files", weights="raw.h5")
    refused("does not fit keras:vgg16 with 2 classes at 32 pixels", weights="secret.h5")
