"""Recipes: the presets, the learning rate of each step, and what an epoch draws."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from paths import ROOT
from straylight.cli.finetune import FinetuneCommand, written
from straylight.cli.main import parse
from straylight.cohort.load import Cohort
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.training.epochs import Training
from straylight.training.finetune import initial_network
from straylight.training.recipe import PRESETS, SIZES, Recipe
from straylight.training.sampling import oversample, split
from straylight.training.schedule import learning_rate, one_cycle

PAGE = (ROOT / "docs" / "finetune.md").read_text(encoding="utf-8")


def command(line: str) -> FinetuneCommand:
    found = parse(
        ["finetune", "--data", "d", "--backbone", "vgg16", "--out", "m", *shlex.split(line)]
    )
    assert isinstance(found, FinetuneCommand)
    return found


def test_without_options_it_is_the_recipe_itself() -> None:
    assert command("").chosen() == Recipe(backbone="vgg16")


def test_the_papers_recipe_by_name() -> None:
    found = command("--recipe minagi2022 --weights none").chosen()
    assert found == Recipe(
        backbone="vgg16",
        weights="none",
        epochs=50,
        schedule="steps",
        learning_rate=0.001,
        drops=(41, 46),
        decay=1e-6,
        batch_size=32,
        weight_decay=0.0,
        sampling="oversampled",
        flips="none",
        rotation=5.0,
        shift=0.05,
        mean=(128 / 255, 128 / 255, 128 / 255),
        std=(128 / 255, 128 / 255, 128 / 255),
    )
    levels = torch.arange(256, dtype=torch.float64)
    normalised = (levels / 255 - found.mean[0]) / found.std[0]
    torch.testing.assert_close(normalised, (levels - 128) / 128, rtol=0, atol=1e-12)


def test_what_is_given_counts_for_more_than_the_recipe() -> None:
    """Zeros and words that mean none are given as well."""
    line = "--recipe minagi2022 --epochs 10 --drops 6 8 --rotation 0 --flips both --std 1 1 1"
    found = command(
        line + " --weight-decay 0.5 --patience 3 --precision bfloat16 --seed 4"
    ).chosen()
    assert (found.epochs, found.drops, found.rotation, found.flips) == (10, (6, 8), 0.0, "both")
    assert (found.std, found.weight_decay, found.patience) == ((1.0, 1.0, 1.0), 0.5, 3)
    assert (found.precision, found.seed) == ("bfloat16", 4)
    assert (found.learning_rate, found.shift) == (0.001, 0.05)


def test_drops_need_steps() -> None:
    with pytest.raises(InputError, match="drops and decay need the schedule 'steps'"):
        command("--drops 3").chosen()


@pytest.mark.parametrize("steps_per_epoch", [1, 218])
def test_the_papers_learning_rate_by_epoch(steps_per_epoch: int) -> None:
    """Its rule, with epochs counted from 0 as its code does, divided as Keras' `decay` divides."""
    recipe = Recipe(backbone="x", **PRESETS["minagi2022"])
    for epoch in range(50):
        rate = 1e-5 if epoch > 45 else 1e-4 if epoch > 40 else 1e-3
        for step in (epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch - 1):
            expected = rate / (1 + 1e-6 * step)
            assert learning_rate(recipe, step, steps_per_epoch) == pytest.approx(
                expected, rel=1e-12
            )


def test_one_cycle_spans_all_epochs() -> None:
    recipe = Recipe(backbone="x", epochs=4)
    for step in range(28):
        assert learning_rate(recipe, step, 7) == one_cycle(step, 28, 0.02)


def test_oversampling_makes_all_classes_as_large_as_the_largest() -> None:
    labels = torch.tensor([2] * 3 + [0] * 50 + [1] * 7)
    pool = oversample(labels, seed=5)
    assert labels[pool].bincount().tolist() == [50, 50, 50]
    times = pool.bincount(minlength=60)
    assert times[labels == 0].tolist() == [1] * 50
    assert int(times.min()) == 1
    assert torch.equal(pool, oversample(labels, seed=5))
    assert not torch.equal(pool, oversample(labels, seed=6))


def test_classes_of_one_size_are_left_as_they_are() -> None:
    labels = torch.tensor([0, 1, 1, 0])
    assert oversample(labels, seed=0).tolist() == [0, 1, 2, 3]


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


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_no_class_is_without_a_training_image(share: float) -> None:
    labels = torch.tensor([0] * 40 + [1] * 2)
    train, validation = split(labels, share, seed=0)
    assert labels[train].bincount()[1] == labels[validation].bincount()[1] == 1
    assert len(validation) == {0.01: 1, 0.5: 20, 0.99: 39}[share] + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patience": -1}, "patience must be 0 or more, not -1"),
        ({"rotation": float("nan")}, "rotation must be 0 or more, not nan"),
        ({"shift": -0.1}, "shift must be 0 or more"),
        ({"weight_decay": float("inf")}, "weight_decay must be 0 or more"),
        ({"std": (0.5, 0.0, 0.5)}, "with std > 0"),
        ({"decay": 1e-6}, "decay need the schedule 'steps'"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(backbone="x", **changes)  # type: ignore[arg-type]


def test_the_page_has_every_option_and_the_presets_as_they_are() -> None:
    rows = re.findall(r"^\| `--([a-z-]+)[^`]*` \| ([^|]*) \| ([^|]*) \|", PAGE, re.MULTILINE)
    found = {name.replace("-", "_"): (one.strip(), paper.strip()) for name, one, paper in rows}
    defaults = {field.name: field.default for field in fields(Recipe)} | {
        "size": SIZES["one-cycle"]
    }
    paper = PRESETS["minagi2022"] | {"size": SIZES["minagi2022"]}
    for name, (one, other) in found.items():
        assert one == written(defaults[name])
        assert other == written(paper.get(name, defaults[name]))
    for field in fields(FinetuneCommand):
        assert f"`--{field.name.replace('_', '-')}" in PAGE
        assert field.name in found or field.default is not None
