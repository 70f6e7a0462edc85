"""A training run: precision, patience and what an epoch draws."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.training.epochs import Training
from straylight.training.finetune import finetune, initial_network
from straylight.training.recipe import Precision, Recipe
from tiny_audits import KilledAt
from training_runs import RECIPE, training, training_data


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


def test_an_oversampled_epoch_takes_every_image(tmp_path: Path) -> None:
    """30, 8 and 4 images: 90 in the pool; 11 batches of 8 leave two of them for another epoch."""
    labels = torch.tensor([0] * 30 + [1] * 8 + [2] * 4)
    recipe = Recipe(backbone="test_resnet", weights="none", batch_size=8, sampling="oversampled")
    images = ImageSet(torch.zeros(42, 3, 32, 32, dtype=torch.uint8), "x")
    run = Training(
        Cohort(images, labels, ("a", "b", "c")),
        recipe,
        train=torch.arange(42),
        validation=torch.arange(42),
        network=initial_network(recipe, 3),
        out=tmp_path,
    )
    assert run.steps_per_epoch == 11
    first, second = (run.draw(torch.Generator().manual_seed(seed)) for seed in (1, 2))
    for drawn in (first, second):
        assert len(drawn) == 88
        left = run.pool.bincount(minlength=42) - drawn.bincount(minlength=42)
        assert int(left.min()) == 0
        assert int(left.sum()) == 2
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda data: Cohort(data.images, 1 - data.labels, data.class_names), "labels"),
        (lambda data: Cohort(data.images, data.labels, ("malignant", "benign")), "class names"),
        (
            lambda data: Cohort(
                ImageSet(data.images.pixels.flip(3), "x"), data.labels, data.class_names
            ),
            "images",
        ),
    ],
)
def test_case_3_4_other_labels_or_classes_end_a_training(
    unfinished: Path, change: Callable[[Cohort], Cohort], named: str
) -> None:
    before = (unfinished / "checkpoint.safetensors").read_bytes()
    with pytest.raises(InputError, match=f"unfinished training with other {named}: give another"):
        finetune(change(training_data()), RECIPE, unfinished)
    assert (unfinished / "checkpoint.safetensors").read_bytes() == before


def test_case_5_another_file_of_weights_of_the_same_name_is_another_training(
    tmp_path: Path,
) -> None:
    data, out = training_data(), tmp_path / "m"
    first = finetune(data, replace(RECIPE, epochs=1), tmp_path / "first")
    weights = tmp_path / "w.safetensors"
    (tmp_path / "first" / "model.safetensors").rename(weights)
    recipe = replace(RECIPE, weights=str(weights))
    with pytest.raises(KeyboardInterrupt):
        finetune(data, recipe, out, KilledAt(epoch=2))
    tensors = load_file(weights)
    good = weights.read_bytes()
    save_file(
        {name: t * 1.001 if t.is_floating_point() else t for name, t in tensors.items()}, weights
    )
    with pytest.raises(InputError, match="unfinished training with other start weights"):
        finetune(data, recipe, out)
    weights.write_bytes(good)
    resumed = finetune(data, recipe, out)
    assert resumed.sha256 == finetune(data, recipe, tmp_path / "undisturbed").sha256
    known = json.loads((out / "model.json").read_text())["training"]
    import hashlib

    assert known["weights_sha256"] == hashlib.sha256(good).hexdigest()
    assert known["labels_sha256"] == hashlib.sha256(data.labels.numpy().tobytes()).hexdigest()
    assert known["start_sha256"] != first.sha256  # it has a new head
