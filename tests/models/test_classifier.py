"""A classifier's preprocessing, its folder, and what it refuses to load."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.transforms.v2.functional import normalize

from oracles import grey_photographs
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.models.card import ModelCard, load_classifier, save_classifier
from straylight.models.classifier import Classifier, count_passes
from straylight.models.weights import load_weights

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Echo(torch.nn.Module):
    """Returns its input's channel means as logits."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


def card(**changes: object) -> ModelCard:
    fields: dict[str, object] = {
        "architecture": "test_resnet",
        "arguments": {},
        "shape": (3, 32, 32),
        "class_names": ("a", "b"),
        "mean": MEAN,
        "std": STD,
        "training": {},
    }
    return ModelCard(**(fields | changes))  # type: ignore[arg-type]


def test_preprocessing_is_torchvisions() -> None:
    images = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    classifier = Classifier(
        Echo(), shape=(3, 6, 7), class_names=("r", "g", "b"), mean=MEAN, std=STD
    )
    expected = normalize(images, list(MEAN), list(STD)).mean((2, 3))
    torch.testing.assert_close(classifier(images), expected)


def test_grey_images_are_repeated_to_rgb_inside() -> None:
    images = torch.rand(2, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    grey = Classifier(Echo(), shape=(1, 6, 7), class_names=("r", "g", "b"), mean=MEAN, std=STD)
    colour = Classifier(Echo(), shape=(3, 6, 7), class_names=("r", "g", "b"), mean=MEAN, std=STD)
    torch.testing.assert_close(grey(images), colour(images.repeat(1, 3, 1, 1)))


def test_a_classifier_is_frozen_and_in_evaluation_mode() -> None:
    network = card().build().train()
    classifier = card().classifier(network, "x")
    assert not any(module.training for module in classifier.modules())
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_passes_are_counted_forwards_and_backwards() -> None:
    classifier = Classifier(Echo(), shape=(3, 6, 7), class_names=("r", "g", "b"))
    images = torch.rand(5, 3, 6, 7)
    with count_passes(classifier) as passes:
        classifier.predict(images)
        delta = torch.zeros(1, 3, 6, 7, requires_grad=True)
        torch.autograd.grad(classifier(images + delta).sum(), delta)
        classifier.predict_all(ImageSet(torch.zeros(7, 3, 6, 7, dtype=torch.uint8), "x"), 3)
    classifier.predict(images)
    assert (passes.forward, passes.backward, passes.total) == (17, 5, 22)


def test_a_saved_classifier_comes_back(tmp_path: Path) -> None:
    network = card().build()
    save_classifier(tmp_path / "m", network, card())
    original, loaded = card().classifier(network, "x"), load_classifier(tmp_path / "m")
    photographs = grey_photographs(4, (3, 32, 32))
    images = photographs.images(slice(None))
    assert torch.equal(original(images), loaded(images))
    assert loaded.sha256 == original.sha256
    assert (loaded.shape, loaded.class_names) == ((3, 32, 32), ("a", "b"))
    assert loaded.class_index("b") == 1
    with pytest.raises(InputError, match="'c' is not a class of the model: it has a, b"):
        loaded.class_index("c")


def test_the_digest_sees_every_weight(tmp_path: Path) -> None:
    network = card().build()
    before = card().classifier(network, "x").sha256
    parameter = list(network.parameters())[-1]
    with torch.no_grad():
        parameter.view(-1)[-1] += 1
    assert card().classifier(network, "x").sha256 != before


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "executed",)

    save_classifier(tmp_path / "m", card().build(), card())
    for payload in (pickle.dumps(Hostile()), b"", b"PK\x03\x04", b"\xff" * 64):
        (tmp_path / "m" / "model.safetensors").write_bytes(payload)
        with pytest.raises(InputError, match=r"is not a safetensors file .* never loaded"):
            load_classifier(tmp_path / "m")
    torch.save({"x": torch.zeros(1)}, tmp_path / "m" / "model.safetensors")
    with pytest.raises(InputError, match="is not a safetensors file"):
        load_classifier(tmp_path / "m")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no Straylight model card"),
        ("[]", "is no Straylight model card"),
        (json.dumps({"schema": "other/1"}), "its schema is not straylight.model/1"),
        (json.dumps({"schema": "straylight.model/1", "architecture": "x"}), "no Straylight model"),
        (card(architecture="resnet_zzz").to_json(), "timm has no model 'resnet_zzz'"),
        (card(arguments={"wrong": 1}).to_json(), "test_resnet cannot be built with wrong"),
    ],
)
def test_broken_cards_are_refused(tmp_path: Path, text: str, message: str) -> None:
    save_classifier(tmp_path, card().build(), card())
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load_classifier(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no model\.json"):
        load_classifier(tmp_path)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    network = card().build()
    weights = load_file_of(network, tmp_path)
    name = "fc.weight"
    for changed in (
        {**weights, "extra": torch.zeros(1)},
        {k: v for k, v in weights.items() if k != name},
    ):
        save_file(changed, tmp_path / "w.safetensors")
        with pytest.raises(InputError, match="does not fit the architecture: 1 tensors"):
            load_weights(card().build(), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"does not exist: give a \.safetensors file"):
        load_weights(network, tmp_path / "none.safetensors")


def load_file_of(network: torch.nn.Module, folder: Path) -> dict[str, torch.Tensor]:
    save_classifier(folder, network, card())
    return load_file(folder / "model.safetensors")


def test_a_backbone_keeps_the_new_head(tmp_path: Path) -> None:
    source = card(class_names=("a", "b", "c")).build()
    save_classifier(tmp_path, source, card())
    network = card().build()
    head = network.get_classifier().weight.clone()  # type: ignore[operator]
    load_weights(network, tmp_path / "model.safetensors", new_head=True)
    assert torch.equal(network.get_classifier().weight, head)  # type: ignore[operator]
    assert torch.equal(network.conv1[0].weight, source.conv1[0].weight)  # type: ignore[index]


def test_impossible_channels_are_refused() -> None:
    with pytest.raises(InputError, match="takes 1 or 3 channels, not 4"):
        Classifier(Echo(), shape=(4, 6, 7), class_names=("a",))


def test_a_prediction_is_the_largest_logit() -> None:
    classifier = Classifier(Echo(), shape=(3, 6, 7), class_names=("r", "g", "b"))
    pixels = np.zeros((3, 3, 6, 7), dtype=np.uint8)
    for label in range(3):
        pixels[label, label] = 200
    assert classifier.predict_all(ImageSet(torch.from_numpy(pixels), "x")).tolist() == [0, 1, 2]
