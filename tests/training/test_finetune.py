"""Training: it learns, repeats, resumes, and never sees what it validates on."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from straylight.cohort.load import Cohort, load_cohort
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.data.images import ImageSet
from straylight.models.card import load_classifier
from straylight.training.augmentation import augment
from straylight.training.epochs import Training
from straylight.training.finetune import finetune
from straylight.training.recipe import PRESETS, Precision, Recipe
from straylight.training.sampling import split
from straylight.training.schedule import one_cycle

RECIPE = Recipe(backbone="test_resnet", weights="none", epochs=3, batch_size=8, learning_rate=0.05)


@pytest.fixture
def data(class_folders: Path) -> Cohort:
    return load_cohort(class_folders, (3, 32, 32))


class KilledAt(Silent):
    """Stops the training as a key press would, at a given step."""

    def __init__(self, step: int) -> None:
        self.left = step

    def advance(self, units: int, note: str = "") -> None:
        self.left -= bool(note)
        if self.left == 0:
            raise KeyboardInterrupt


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


@pytest.mark.parametrize(
    ("patience", "accuracies", "done"),
    [
        (0, [0.9, 0.5, 0.5, 0.5, 0.5], False),
        (0, [0.9, 0.5, 0.5, 0.5, 0.5, 0.5], True),  # all epochs are over
        (3, [], False),
        (3, [0.9, 0.5, 0.9], False),
        (3, [0.9, 0.5, 0.9, 0.9], True),  # equal is not better
        (3, [0.5, 0.4, 0.9, 0.1, 0.8], False),
        (1, [0.5, 0.6], False),
        (1, [0.5, 0.6, 0.6], True),
    ],
)
def test_patience_counts_epochs_since_the_best(
    patience: int, accuracies: list[float], done: bool, data: Cohort, tmp_path: Path
) -> None:
    run = training(replace(RECIPE, epochs=6, patience=patience), data, nn.Linear(1, 2), tmp_path)
    run.history = [{"loss": 1.0, "validation_accuracy": accuracy} for accuracy in accuracies]
    run.epoch = len(accuracies)
    assert run.done is done


def training(recipe: Recipe, data: Cohort, network: nn.Module, out: Path) -> Training:
    index = torch.arange(len(data))
    return Training(data, recipe, train=index, validation=index, network=network, out=out)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision_is_that_of_the_forward_pass_alone(
    precision: Precision, data: Cohort, tmp_path: Path
) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 900, 2)
    )
    computed = []
    network[0].register_forward_hook(lambda _, __, output: computed.append(output.dtype))
    run = training(replace(RECIPE, precision=precision), data, network, tmp_path)
    losses = list(run.train_epoch())
    assert set(computed) == {getattr(torch, precision)}
    assert len(losses) == 3
    run.finish_epoch()  # the validation, and a checkpoint
    assert computed[-1] == torch.float32
    tensors = load_file(tmp_path / "checkpoint.safetensors")
    assert {t.dtype for t in tensors.values() if t.is_floating_point()} == {torch.float32}
    assert sum(name.startswith("momentum.") for name in tensors) == 6
    assert run.card().training["precision"] == precision


def test_bfloat16_is_one_rounding_away(data: Cohort, tmp_path: Path) -> None:
    """A linear network: the loss is that of inputs and weights rounded to 8 bits of mantissa."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2))
    run = training(replace(RECIPE, precision="bfloat16"), data, network, tmp_path)
    images, labels = data.images.images(slice(0, 8)), data.labels[:8]
    classifier = run.classifier()
    x, w, b = ((images - 0.5) / 0.5).flatten(1), network[1].weight, network[1].bias
    x, w, b = (t.bfloat16().double() for t in (x, w, b))
    expected = nn.functional.cross_entropy((x @ w.T + b).bfloat16().double(), labels)
    assert float(run.loss(classifier, images, labels)) == pytest.approx(float(expected), abs=4e-3)


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


def test_validation_is_apart_and_of_every_class() -> None:
    labels = torch.tensor([0] * 50 + [1] * 7 + [2] * 2)
    train, validation = split(labels, 0.1, seed=3)
    assert sorted([*train.tolist(), *validation.tolist()]) == list(range(59))
    assert labels[validation].bincount().tolist() == [5, 1, 1]
    assert torch.equal(train, split(labels, 0.1, seed=3)[0])
    with pytest.raises(InputError, match="class number 1 has one image"):
        split(torch.tensor([0, 0, 1]), 0.1, seed=0)


def test_training_is_class_balanced(tmp_path: Path) -> None:
    """With 60 images against 4, both classes are drawn about equally often."""
    pixels = torch.zeros(64, 3, 32, 32, dtype=torch.uint8)
    pixels[60:] = 255
    data = Cohort(ImageSet(pixels, "x"), torch.tensor([0] * 60 + [1] * 4), ("many", "few"))
    seen = []
    recipe = Recipe(backbone="test_resnet", weights="none", epochs=1, batch_size=8)
    original = ImageSet.images

    def spy(images: ImageSet, index: torch.Tensor | slice) -> torch.Tensor:
        found = original(images, index)
        seen.append(float(found.mean()))
        return found

    patch = pytest.MonkeyPatch()
    patch.setattr(ImageSet, "images", spy)
    try:
        finetune(data, recipe, tmp_path)
    finally:
        patch.undo()
    assert 0.3 < sum(seen[:7]) / 7 < 0.7


def test_one_cycle_rises_then_falls_to_nothing() -> None:
    rates = [one_cycle(step, 100, 0.02) for step in range(100)]
    assert max(rates) == pytest.approx(0.02)
    assert rates.index(max(rates)) == 15
    assert rates[0] == pytest.approx(0.02 / 16)
    assert rates[-1] < 1e-5


@pytest.mark.parametrize(
    ("flips", "allowed"),
    [
        ("none", [lambda x: x]),
        ("horizontal", [lambda x: x, lambda x: x.flip(2)]),
        ("both", [lambda x: x, lambda x: x.flip(2), lambda x: x.flip(1), lambda x: x.flip(1, 2)]),
    ],
)
def test_flips_are_what_they_say(
    flips: str, allowed: list[Callable[[torch.Tensor], torch.Tensor]]
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(40, 3, 5, 6, generator=generator)
    recipe = Recipe(backbone="x", flips=flips)  # type: ignore[arg-type]
    kinds = set()
    for before, after in zip(images, augment(images, recipe, generator), strict=True):
        kinds.add(next(k for k, flip in enumerate(allowed) if torch.equal(flip(before), after)))
    assert len(kinds) == len(allowed)


def test_shift_moves_by_at_most_its_share() -> None:
    images = torch.zeros(64, 1, 40, 40)
    images[:, :, 20, 20] = 1
    recipe = Recipe(backbone="x", flips="none", shift=0.05)
    moved = augment(images, recipe, torch.Generator().manual_seed(0))
    rows = (moved.sum((1, 3)) * torch.arange(40)).sum(1) / moved.sum((1, 2, 3))
    assert float((rows - 20).abs().max()) <= 2.01
    assert float((rows - 20).abs().max()) > 1.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"validation": 1.0}, "validation must lie between"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
    ],
)
def test_impossible_recipes_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(backbone="x", **changes)  # type: ignore[arg-type]


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
