"""Read networks of `keras.applications` with the weights (.h5) that the paper's repositories write.

Minagi, Hirano & Takemoto 2022 (https://github.com/kztakemoto/Natural_UAP, `run_Natural_UAP.py`): the
network without its top, global average pooling, and a dense softmax; grey images repeated to RGB; images of
0..255 normalised as (x - 128) / 128.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from straylight.core.conventions import LEVELS
from straylight.core.errors import InputError, reason_of
from straylight.data.images import RGB
from straylight.models.options import ModelOptions
from straylight.models.readers.hdf5 import check_hdf5, hdf5_layer_names
from straylight.models.readers.keras import KerasNetwork, import_keras, suppress_keras_warnings
from straylight.models.readers.network import LoadedNetwork

KERAS = "keras:"
ARCHITECTURES = {
    "densenet121": "DenseNet121",
    "densenet169": "DenseNet169",
    "inception_resnet_v2": "InceptionResNetV2",
    "inception_v3": "InceptionV3",
    "resnet50": "ResNet50",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
}
DEFAULT_SIDE = 299
HALF_RANGE = 128 / LEVELS


def read_keras_application(spec: str, options: ModelOptions) -> LoadedNetwork:
    """Build ``keras:NAME`` and fill it from ``--weights FILE.h5``."""
    name, path = spec.removeprefix(KERAS), Path(options.weights)
    if name not in ARCHITECTURES:
        raise InputError(f"{spec} is not known: give keras: and one of {', '.join(ARCHITECTURES)}.")
    if path.suffix.lower() not in (".h5", ".hdf5") or not options.classes:
        raise InputError(f"{spec} needs --weights FILE.h5 and --classes NAME NAME ...")
    if not path.is_file():
        raise InputError(f"{path} does not exist: give an existing .h5 file.")
    check_hdf5(str(path), path)
    keras = import_keras(spec)
    size = options.size or DEFAULT_SIDE
    try:
        with suppress_keras_warnings():
            # In the repositories' grey models the network without its top is one layer.
            nested = any(layer.startswith(name) for layer in hdf5_layer_names(path))
            model: Any = _build_application(keras, name, size, len(options.classes), nested=nested)
            model.load_weights(path)
    except Exception as error:
        # Keras raises exceptions of all types.
        raise InputError(
            f"{path} does not fit {spec} with {len(options.classes)} classes at {size} pixels "
            f"({reason_of(error)})."
        ) from error
    return LoadedNetwork(
        KerasNetwork(model), size=size, mean=(HALF_RANGE,) * RGB, std=(HALF_RANGE,) * RGB
    )


def _build_application(
    keras: ModuleType, name: str, size: int, n_classes: int, *, nested: bool
) -> nn.Module:
    """Build a network with random weights.

    Args:
        keras: The library.
        name: A key of `ARCHITECTURES`.
        size: Side of its images in pixels.
        n_classes: Number of outputs.
        nested: Make the network without its top one layer.
    """
    shape = (size, size, RGB)
    base = getattr(keras.applications, ARCHITECTURES[name])(
        include_top=False, weights=None, input_shape=shape
    )
    images = keras.Input(shape) if nested else base.input
    features = base(images) if nested else base.output
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    outputs = keras.layers.Dense(n_classes, activation="softmax")(pooled)
    model: nn.Module = keras.Model(images, outputs)
    return model
