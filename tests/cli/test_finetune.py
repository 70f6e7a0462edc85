"""`straylight finetune`: its options make a recipe."""

import json
import re
import shlex
from dataclasses import fields
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

from commands import printed, refusal, straylight
from paths import ROOT
from straylight.cli.finetune import FinetuneCommand, format_setting, parse_arguments
from straylight.cli.main import parse_command
from straylight.core.errors import InputError
from straylight.training.recipe import PRESETS, SIZES, Recipe

PAGE = (ROOT / "docs" / "finetune.md").read_text(encoding="utf-8")


def command(line: str) -> FinetuneCommand:
    found = parse_command(
        ["finetune", "--data", "d", "--backbone", "vgg16", "--out", "m", *shlex.split(line)]
    )
    assert isinstance(found, FinetuneCommand)
    return found


def test_without_options_it_is_the_recipe_itself() -> None:
    assert command("").make_recipe() == Recipe(backbone="vgg16")


def test_the_papers_recipe_by_name() -> None:
    found = command("--recipe minagi2022 --weights none").make_recipe()
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
    ).make_recipe()
    assert (found.epochs, found.drops, found.rotation, found.flips) == (10, (6, 8), 0.0, "both")
    assert (found.std, found.weight_decay, found.patience) == ((1.0, 1.0, 1.0), 0.5, 3)
    assert (found.precision, found.seed) == ("bfloat16", 4)
    assert (found.learning_rate, found.shift) == (0.001, 0.05)


def test_the_page_has_every_option_and_the_presets_as_they_are() -> None:
    rows = re.findall(r"^\| `--([a-z-]+)[^`]*` \| ([^|]*) \| ([^|]*) \|", PAGE, re.MULTILINE)
    found = {name.replace("-", "_"): (one.strip(), paper.strip()) for name, one, paper in rows}
    defaults = {field.name: field.default for field in fields(Recipe)} | {
        "size": SIZES["one-cycle"]
    }
    paper = PRESETS["minagi2022"] | {"size": SIZES["minagi2022"]}
    for name, (one, other) in found.items():
        assert one == format_setting(defaults[name])
        assert other == format_setting(paper.get(name, defaults[name]))
    for field in fields(FinetuneCommand):
        assert f"`--{field.name.replace('_', '-')}" in PAGE
        assert field.name in found or field.default is not None


def test_drops_need_steps() -> None:
    with pytest.raises(InputError, match="drops and decay need the schedule 'steps'"):
        command("--drops 3").make_recipe()


def test_bad_training_input_is_refused(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file({}, tmp_path / "none.safetensors")

    def command(*extra: object) -> list[object]:
        base = ["finetune", "--data", world / "medical", "--backbone", "test_resnet", "--size", 32]
        return [*base, "--out", tmp_path / "m", *extra]

    for message, extra in {
        "timm has no model 'resnet_zzz'": ["--weights", "none", "--backbone", "resnet_zzz"],
        "does not exist: give a .safetensors file": ["--weights", tmp_path / "nowhere.safetensors"],
        "does not fit the architecture": ["--weights", tmp_path / "none.safetensors"],
        "--backbone-arg 'pad' must be NAME=VALUE": ["--weights", "none", "--backbone-arg", "pad"],
        "--size must be at least 1": ["--weights", "none", "--size", 0],
        "epochs must be at least 1": ["--weights", "none", "--epochs", 0],
        "cannot take images of 32 x 32 pixels": ["--weights", "none", "--backbone", "inception_v3"],
    }.items():
        assert message in refusal(capsys, *command(*extra))


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (["--backbone", "mobilenetv2_100"], True),
        (["--backbone", "mobilenetv2_100", "--mean", 0.5, 0.5, 0.5], False),
        (["--backbone", "mobilenetv2_100", "--weights", "none"], False),
        (["--backbone", "inception_v3"], False),
        (["--backbone", "inception_v3", "--recipe", "minagi2022"], False),
        (["--backbone", "torchvision:vgg16", "--recipe", "minagi2022"], True),
    ],
)
def test_another_normalisation_of_the_public_weights_is_told(
    extra: list[object],
    told: bool,
    world: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object) -> None:
        raise InputError("here it would train")

    monkeypatch.setattr("straylight.training.finetune.finetune", stop)
    printed = refusal_after_notes(
        capsys, "finetune", "--data", world / "medical", "--size", 32, "--out", world / "m", *extra
    )
    imagenet = "trained with --mean 0.485 0.456 0.406 --std 0.229 0.224 0.225"
    assert (imagenet in printed) == told
    assert printed.count("Note:") == told


def refusal_after_notes(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    printed = refusal(capsys, *arguments)
    assert printed.endswith("straylight: here it would train")
    return printed


def test_a_training_that_stops_early_says_so(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straylight(
        "finetune", "--data", world / "medical", "--backbone", "test_resnet", "--weights", "none",
        "--size", 32, "--batch-size", 8, "--epochs", 90, "--patience", 1, "--learning-rate", 1e-9,
        "--out", tmp_path / "m",
    )  # fmt: skip
    card = json.loads((tmp_path / "m" / "model.json").read_text())
    n = len(card["training"]["history"])
    assert n < 90
    assert (
        f"Stopped after epoch {n} of 90: the validation accuracy did not improve (--patience 1)"
        in capsys.readouterr().out
    )


def test_backbone_arguments_are_json_where_they_can_be() -> None:
    pairs = ("pad_type=same", "drop_rate=0.1", "channels=[8, 16]", "global_pool=")
    assert parse_arguments(pairs) == {
        "pad_type": "same",
        "drop_rate": 0.1,
        "channels": [8, 16],
        "global_pool": "",
    }
    with pytest.raises(InputError):
        parse_arguments(("x",))


@pytest.mark.parametrize("name", ["md [/b]", "m [v2]", "[red]", "a 'b'"])
def test_names_are_printed_as_they_are(
    name: str, tmp_path: Path, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = FinetuneCommand(
        data=str(class_folders), backbone="test_resnet", weights="none", size=32, epochs=1,
        batch_size=8, out=Path(name),
    )  # fmt: skip
    quiet = Console(file=StringIO())
    said = printed(lambda out: command.run(out, quiet))
    assert f"{name}: accuracy" in said
    (line,) = re.findall("Next: (.*)", said)
    assert shlex.split(line)[:4] == ["straylight", "audit", "--model", name]
