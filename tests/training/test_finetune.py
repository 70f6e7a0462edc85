"""Training: it learns, repeats, resumes, and never sees what it validates on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from full_disk import refusal_in_child, with_room
from image_folders import TINY_SHAPE, train_tiny, write_picture
from straylight.cohort.cohort import Cohort
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.models.card import load_classifier
from straylight.training.finetune import finetune
from straylight.training.recipe import PRESETS, Recipe
from tiny_audits import raise_interrupt
from training_runs import RECIPE, KilledAt, training_data


def test_it_learns_two_shades(data: Cohort, tmp_path: Path) -> None:
    classifier = finetune(data, RECIPE, tmp_path / "m")
    assert torch.equal(classifier.predict_all(data.images), data.labels)
    loaded = load_classifier(tmp_path / "m")
    assert torch.equal(loaded.predict_all(data.images), data.labels)
    assert len(loaded.card["training"]["history"]) == 3
    assert loaded.card["training"]["images"] + loaded.card["training"]["validation_images"] == 24
    assert [file.name for file in sorted((tmp_path / "m").iterdir())] == [
        "model.json",
        "model.safetensors",
    ]


def test_an_interrupted_training_ends_as_an_undisturbed_one(data: Cohort, tmp_path: Path) -> None:
    finetune(data, RECIPE, tmp_path / "whole")
    for step in (1, 3, 6):
        out = tmp_path / f"killed-{step}"
        with pytest.raises(KeyboardInterrupt):
            finetune(data, RECIPE, out, KilledAt(step))
        finetune(data, RECIPE, out)
        whole, resumed = (
            load_file(folder / "model.safetensors") for folder in (tmp_path / "whole", out)
        )
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)
        assert (out / "model.json").read_text() == (tmp_path / "whole" / "model.json").read_text()


def test_early_stopping_is_the_same_after_an_interruption(data: Cohort, tmp_path: Path) -> None:
    """It ends two epochs after the best one, wherever it was killed: before, in and after those."""
    recipe = replace(RECIPE, epochs=40, patience=2, schedule="steps")
    whole = finetune(data, recipe, tmp_path / "whole")
    history = [entry["validation_accuracy"] for entry in whole.card["training"]["history"]]
    best = history.index(max(history)) + 1
    assert len(history) == best + 2 < 40
    steps = 2  # of an epoch: 22 images in batches of 8
    for step in (1, best * steps, best * steps + 1, (best + 1) * steps, (best + 2) * steps):
        out = tmp_path / f"killed-{step}"
        with pytest.raises(KeyboardInterrupt):
            finetune(data, recipe, out, KilledAt(step))
        assert finetune(data, recipe, out).sha256 == whole.sha256
        assert (out / "model.json").read_text() == (tmp_path / "whole" / "model.json").read_text()


def test_bfloat16_is_in_the_card_and_is_resumed(data: Cohort, tmp_path: Path) -> None:
    recipe = replace(RECIPE, precision="bfloat16")
    whole = finetune(data, recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        finetune(data, recipe, tmp_path / "killed", KilledAt(4))
    assert finetune(data, recipe, tmp_path / "killed").sha256 == whole.sha256
    card = json.loads((tmp_path / "whole" / "model.json").read_text())
    assert card["training"]["precision"] == "bfloat16"
    assert torch.equal(whole.predict_all(data.images), data.labels)
    assert finetune(data, RECIPE, tmp_path / "full").sha256 != whole.sha256


def test_the_papers_recipe_is_resumed_as_well(data: Cohort, tmp_path: Path) -> None:
    settings = PRESETS["minagi2022"] | {"epochs": 3, "drops": (1, 2), "batch_size": 8}
    recipe = Recipe(backbone="test_resnet", weights="none", **settings)
    whole = finetune(data, recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        finetune(data, recipe, tmp_path / "killed", KilledAt(4))
    assert finetune(data, recipe, tmp_path / "killed").sha256 == whole.sha256


def test_a_training_that_diverges_is_refused(data: Cohort, tmp_path: Path) -> None:
    recipe = replace(RECIPE, learning_rate=1e30)
    with pytest.raises(InputError, match=r"diverged .the loss of epoch \d is .*--learning-rate"):
        finetune(data, recipe, tmp_path)
    assert not (tmp_path / "model.json").exists()


def test_a_training_in_the_way_is_kept(data: Cohort, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        finetune(data, RECIPE, tmp_path, KilledAt(3))
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    other = Recipe(backbone="test_resnet", weights="none", epochs=9)
    with pytest.raises(InputError, match="unfinished training with other settings"):
        finetune(data, other, tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    finetune(data, RECIPE, tmp_path)
    with pytest.raises(InputError, match="already holds a model"):
        finetune(data, RECIPE, tmp_path)


@pytest.mark.parametrize("kind", [OSError, ValueError, RuntimeError])
def test_public_weights_that_cannot_be_had_are_told(
    kind: type[Exception], data: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub's errors are of several kinds, a ValueError among them."""

    def refuse(*_: object, **__: object) -> None:
        raise kind("no connection")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    recipe = Recipe(backbone="test_resnet", weights="pretrained")
    monkeypatch.setattr("timm.create_model", refuse)
    with pytest.raises(InputError, match="public weights of test_resnet cannot be loaded"):
        finetune(data, recipe, tmp_path)


def test_one_class_is_not_trained_on(tmp_path: Path) -> None:
    write_picture(tmp_path / "chest" / "NORMAL" / "1.png")
    with pytest.raises(InputError, match="has one class, chest: give a folder"):
        train_tiny(load_cohort(tmp_path, TINY_SHAPE), tmp_path / "out")


def test_a_training_killed_after_its_card_is_finished_by_the_same_call(
    unfinished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr("straylight.training.epochs.suppress", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            finetune(training_data(), recipe, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} >= {"model.json", "checkpoint.safetensors"}
    card = (tmp_path / "model.json").read_bytes()
    finetune(training_data(), recipe, tmp_path)
    assert (tmp_path / "model.json").read_bytes() == card
    assert not (tmp_path / "checkpoint.safetensors").exists()
    with pytest.raises(InputError, match="already holds a model"):
        finetune(training_data(), recipe, tmp_path)


def test_case_19b_a_full_disk_in_a_training(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    out = tmp_path / "m"
    said = refusal_in_child(
        lambda: with_room(1_000, lambda: finetune(training_data(), recipe, out)), tmp_path / "told"
    )
    assert said.startswith(f"{out / 'checkpoint.safetensors'} cannot be written")
    assert list(out.iterdir()) == []
    finetune(training_data(), recipe, out)
    finetune(training_data(), recipe, tmp_path / "undisturbed")
    for name in ("model.json", "model.safetensors"):
        assert (out / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()


def test_case_19c_a_folder_that_cannot_be_made_is_told_before_the_first_epoch(
    tmp_path: Path,
) -> None:
    class Never(Silent):
        def start(self, title: str, total: int) -> None:
            raise AssertionError

    (tmp_path / "file").write_text("")
    for out in (Path("/proc/x/y"), tmp_path / "file" / "m", tmp_path / "file"):
        with pytest.raises(InputError, match="cannot be written to"):
            finetune(training_data(), RECIPE, out, Never())
