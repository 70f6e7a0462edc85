"""The command line, in-process: what it prints, what it writes, and how it refuses."""

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from straylight.audit.schema import json_schema
from straylight.cli.finetune import parse_arguments
from straylight.cli.main import main
from straylight.core.errors import InputError


def straylight(*arguments: object) -> None:
    main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model, photographs and a cohort, made by the commands themselves."""
    root = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    for label, level in (("dark", 90), ("light", 130)):
        (root / "medical" / label).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(level - 30, level + 30, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "medical" / label / f"{number}.png")
    (root / "photos" / "deep").mkdir(parents=True)
    for number in range(9):
        pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "photos" / "deep" / f"{number}.jpg")
    straylight(
        "finetune", "--data", root / "medical", "--backbone", "test_resnet", "--weights", "none",
        "--size", 32, "--epochs", 2, "--batch-size", 8, "--out", root / "model",
    )  # fmt: skip
    return root


def audit(root: Path, out: Path, *extra: object) -> list[object]:
    return [
        "audit", "--model", root / "model", "--natural", root / "photos",
        "--cohort", root / "medical", "--zeta", 0.1, "--method", "gradient:steps=2",
        "--control-seeds", 1, "--out", out, *extra,
    ]  # fmt: skip


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        straylight(*arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    assert printed.err.count("straylight: ") == 1
    return printed.err.strip()


def test_an_audit_from_the_command_line(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straylight(*audit(world, tmp_path / "a", "--target", "all"))
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "a" / "audit.json").read_text())
    names = [item["name"] for item in written["perturbations"]]
    assert names[:3] == ["gradient", "gradient to dark", "gradient to light"]
    for name in names[:3]:
        assert name in printed
    assert "random-sign (max of 1)" in printed
    assert str(tmp_path / "a" / "report.html") in printed
    assert (tmp_path / "a" / "report.html").stat().st_size > 10_000


def test_every_threat_model_from_the_command_line(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(world / "medical", tmp_path / "training")
    for file in (tmp_path / "training").rglob("*.png"):
        Image.open(file).rotate(90).save(file)
    methods = [
        "gradient@adapted:steps=1",
        "auto@photographs:passes=3000",
        "lift:steps=1",
        "disrupt:steps=1",
    ]
    straylight(
        *audit(world, tmp_path / "a", "--method", *methods, "gradient@medical:steps=1"),
        "--training", tmp_path / "training", "--public", world / "model" / "model.safetensors",
        "--adaptation", "n=20,steps=2",
    )  # fmt: skip
    written = json.loads((tmp_path / "a" / "audit.json").read_text())
    found = {i["name"]: (i["role"], i["threat_model"]) for i in written["perturbations"]}
    attack = "attack"
    assert {name: kind for name, kind in found.items() if kind[0] != "control"} == {
        "gradient@adapted": (attack, "T1"),
        "auto@photographs": (attack, "T1"),
        "lift": (attack, "T2"),
        "disrupt": (attack, "T2"),
        "gradient@medical": ("reference", "oracle"),
    }
    assert written["natural"]["adapted"]["n"] == 20
    assert "gradient@medical (oracle)" in capsys.readouterr().out


def test_preflight_alone_is_what_an_audit_finds_first(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "two").mkdir()
    shutil.copytree(world / "medical" / "dark", tmp_path / "two" / "dark")
    shutil.copytree(world / "medical" / "light", tmp_path / "two" / "light")
    for file in sorted((tmp_path / "two" / "light").iterdir())[3:]:
        file.unlink()
    subject = ["--model", world / "model", "--cohort", tmp_path / "two"]
    straylight("preflight", *subject, "--json")
    found = json.loads(capsys.readouterr().out)
    assert "fewer than 10 images of light (3)" in found[-1]["message"]
    straylight("preflight", *subject)
    printed = capsys.readouterr().out
    assert [f"{item['level']}: {item['message']}" for item in found] == printed.splitlines()
    straylight(*audit(world, tmp_path / "a"), "--cohort", tmp_path / "two")
    assert f"preflight, note: {found[-1]['message']}" in capsys.readouterr().err
    assert json.loads((tmp_path / "a" / "audit.json").read_text())["preflight"] == found


def test_an_error_of_preflight_ends_with_status_2(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("restless.py").write_text(
        "import torch\n"
        "class Restless(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        z = torch.nn.functional.dropout(x, 0.5).mean((1, 2, 3)) * 9\n"
        "        return torch.stack([-z, z], 1)\n"
    )
    words = ["--model", "python:restless:Restless", "--classes", "dark", "light", "--size", 32]
    words += ["--mean", 0.5, 0.5, 0.5, "--std", 0.5, 0.5, 0.5, "--cohort", world / "medical"]
    said = refusal(capsys, "preflight", *words)
    assert "The same images get other outputs in a second pass" in said
    assert refusal(capsys, *audit(world, tmp_path / "a"), *words) == said
    assert not any((tmp_path / "a").iterdir())


def test_json_is_for_machines(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straylight(*audit(world, tmp_path / "a", "--json"))
    printed = json.loads(capsys.readouterr().out)
    jsonschema.validate(printed, json_schema())
    (tmp_path / "a" / "report.html").unlink()
    straylight("report", tmp_path / "a", "--json")
    assert json.loads(capsys.readouterr().out) == printed
    assert (tmp_path / "a" / "report.html").exists()


def test_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    straylight("attacks", "--json")
    entries = json.loads(capsys.readouterr().out)
    assert {entry["name"]: entry["role"] for entry in entries} == {
        "auto": "attack",
        "gradient": "attack",
        "sequential": "attack",
        "sga": "attack",
        "lift": "attack",
        "disrupt": "attack",
        "random-sphere": "control",
        "random-sign": "control",
        "perlin": "control",
        "gabor": "control",
        "phase-randomised": "control",
    }
    straylight("attacks")
    printed = capsys.readouterr().out
    assert all(entry["url"] in printed and entry["summary"] in printed for entry in entries)


@pytest.mark.parametrize(
    "command",
    [
        *("", "demo", "audit", "preflight", "finetune", "report", "attacks"),
        *("study", "study status", "study tables", "study report"),
    ],
)
def test_help_teaches_by_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        straylight(*command.split(), "--help")
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    example = printed.partition("For example:")[2] if command else printed
    assert f"straylight {command or 'demo'}" in example


def test_bad_input_is_one_sentence_and_status_2(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "manifest.csv").write_text("file,label\nx.png,dark\n")
    shutil.copytree(world / "model", tmp_path / "pickle")
    (tmp_path / "pickle" / "model.safetensors").write_bytes(b"\x80\x05K\x01.")
    out = tmp_path / "out"
    cases = {
        "zeta must lie in (0, 1]": audit(world, out, "--zeta", "nan"),
        "zeta must lie in (0, 1], not 0.0": audit(world, out, "--zeta", 0),
        "give either zeta or eps": audit(world, out, "--eps", 0.1),
        "there is no attack 'magic'": audit(world, out, "--method", "magic"),
        "learns on one of photographs": audit(world, out, "--method", "gradient@skin"),
        "give them (--training)": audit(world, out, "--method", "gradient", "gradient@medical"),
        "give its weights (--public)": audit(world, out, "--method", "lift"),
        "adaptation has no setting 'm'": audit(world, out, "--adaptation", "m=3"),
        "an oracle may not learn on what it is scored on": audit(
            world, out, "--method", "gradient", "gradient@medical", "--training", world / "medical"
        ),
        "the target 'blue' is none of the classes dark, light": audit(world, out, "--target", "blue"),
        "holds no image file": audit(world, out, "--natural", tmp_path / "empty"),
        "has no model.json": audit(world, out, "--model", tmp_path / "empty"),
        "is not a safetensors file": audit(world, out, "--model", tmp_path / "pickle"),
        "the file x.png does not exist": audit(world, out, "--cohort", tmp_path / "manifest.csv"),
        "has the class deep, which": audit(world, out, "--cohort", world / "photos"),
        "cannot be written to": audit(world, tmp_path / "manifest.csv" / "out"),
        "has 9 photographs, fewer than the 10": audit(world, out, "--photographs", 10),
        "has no audit.json": ["report", tmp_path / "empty"],
    }  # fmt: skip
    for message, arguments in cases.items():
        assert message in refusal(capsys, *arguments)
    assert not out.exists() or not any(out.iterdir())


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

    monkeypatch.setattr("straylight.cli.finetune.finetune", stop)
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
    assert f"Stopped after epoch {n} of 90: the last 1 did not raise" in capsys.readouterr().out


def test_skipped_files_are_named(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(world / "photos", tmp_path / "photos")
    (tmp_path / "photos" / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    straylight(*audit(world, tmp_path / "a", "--natural", tmp_path / "photos"))
    assert "skipped cut.jpg" in capsys.readouterr().err
    written = json.loads((tmp_path / "a" / "audit.json").read_text())
    assert written["natural"]["n"] == 9
    assert [item["file"] for item in written["natural"]["skipped"]] == ["cut.jpg"]


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
