"""A classifier's folder: saved, loaded, and refused if it is broken."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model_cards import card
from networks import SHAPE
from oracles import grey_photographs
from straylight import load_model
from straylight.core.errors import InputError
from straylight.models.card import ModelCard, load_classifier, save_classifier
from straylight.training.finetune import finetune
from training_runs import RECIPE, training_data


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a Straylight model card"),
        ("[]", "is not a Straylight model card"),
        (json.dumps({"schema": "other/1"}), "its schema is not straylight.model/1"),
        (
            json.dumps({"schema": "straylight.model/1", "architecture": "x"}),
            "not a Straylight model",
        ),
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


def test_first_user_13_digests_are_those_of_the_files(tmp_path: Path) -> None:
    card = ModelCard("test_resnet", {}, SHAPE, ("a", "b"), (0.5,) * 3, (0.5,) * 3, {})
    save_classifier(tmp_path, card.build(), card)
    files = load_classifier(tmp_path).card["files"]
    assert files == load_model(tmp_path).card["files"]
    assert files == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in ("model.json", "model.safetensors")
    }


def test_weights_that_are_not_those_of_their_card_are_refused(tmp_path: Path) -> None:
    finetune(training_data(), replace(RECIPE, epochs=1), tmp_path)
    path = tmp_path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"does not match model\.json .its digest differs"):
        load_classifier(tmp_path)
