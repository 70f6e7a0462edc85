"""Classifiers that users bring: each kind made here, loaded, and the same function as it was."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from loading import MODULE, options
from networks import cohort
from straylight.cli.main import main
from straylight.core.errors import InputError
from straylight.models.load import load_model
from straylight.models.options import ModelOptions

CONTRACT_MODULE = """
import torch
from torch import nn

print("loading")

class Net(nn.Module):
    def __init__(self, n, channels=3):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(channels, 4, 3, padding=1), nn.Linear(4 * 16 * 16, n)
    def forward(self, x):
        return self.fc(self.conv(x).view(len(x), -1)).squeeze()

def two(): return Net(2)
def half(): return Net(2).half()
def grey(): return Net(2, 1)
"""


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("contract_model.py").write_text(CONTRACT_MODULE)
    data = cohort(65, ("dark", "light"))
    images = data.images.pixels.permute(0, 2, 3, 1).numpy().copy()
    images[:3] = 7
    names = np.array(data.class_names)
    np.savez("cohort.npz", images=images, labels=data.labels.numpy(), class_names=names)
    return ["preflight", "--cohort", "cohort.npz", "--classes", "dark", "light", "--size", "16"]


def test_the_command_line_notes_what_it_changed_and_keeps_json_clean(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", "python:contract_model:half", "--head", "logits", "--json"]
    main([*words, *model, *["--mean", "0", "0", "0", "--std", "1", "1", "1"]])
    found = {item["check"]: item for item in json.loads(capsys.readouterr().out)}
    assert found["model"]["message"].endswith("converted from float16 to float32.")
    assert found["images"]["level"] == "warning"
    assert found["images"]["message"].startswith("3 of 65 images have one value in all pixels")


@pytest.mark.parametrize(
    ("name", "numbers", "sentence"),
    [
        ("two", 1, "takes RGB images, so three numbers are needed for mean and std"),
        ("grey", 3, "takes images of one channel, so one number is needed for mean and std"),
    ],
)
def test_first_user_9_another_number_of_channels(
    words: list[str], name: str, numbers: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--mean", *"0" * numbers, "--std", *"1" * numbers]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--model", f"python:contract_model:{name}", *given])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("body", ["None", "'cat'", "(y, y)"])
def test_any_number_of_channels_is_not_blamed_for_other_outputs(
    words: list[str], body: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("any_channels.py").write_text(
        "from torch import nn\nclass Net(nn.Module):\n def forward(self, x):\n"
        f"  y = x.mean((1, 2, 3), keepdim=True).flatten(1).expand(-1, 2)\n  return {body}\n"
    )
    sys.modules.pop("any_channels", None)
    importlib.invalidate_caches()
    given = ["--mean", "0", "0", "0", "--std", "1", "1", "1"]
    with pytest.raises(SystemExit):
        main([*words, "--model", "python:any_channels:Net", *given])
    said = capsys.readouterr().err
    assert "channel" not in said.replace("any_channels", "")
    assert "for a batch of" in said


NOISY = (
    CONTRACT_MODULE
    + """
import os
class Noisy(Net):
    def forward(self, x):
        print("from Python")
        os.write(1, b"from C\\n")
        return super().forward(x)

def noisy(): return Noisy(2)
"""
)


def test_json_stays_json_whatever_a_network_prints(
    words: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("noisy_model.py").write_text(NOISY)
    monkeypatch.setattr(sys, "stdout", open(1, "w", closefd=False))  # noqa: SIM115
    given = ["--mean", "0", "0", "0", "--std", "1", "1", "1", "--head", "logits", "--json"]
    main([*words, "--model", "python:noisy_model:noisy", *given])
    printed = capfd.readouterr()
    assert "images" in [item["check"] for item in json.loads(printed.out)]
    assert "from Python" in printed.err
    assert "from C" in printed.err


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("own_model.py").write_text(MODULE)
    return tmp_path


def test_what_is_not_said_or_does_not_fit_is_told(module: Path) -> None:
    (module / "x.onnx").write_bytes(b"no model")
    (module / "readme.txt").write_text("x")
    save_file({"a": torch.zeros(1)}, module / "w.safetensors")
    cases: list[tuple[str, ModelOptions, str]] = [
        ("python:own_model:level", ModelOptions(), "needs --classes NAME NAME"),
        ("python:own_model:level", options(std=(1.0,)), "one number each for every channel"),
        (
            "python:own_model:level",
            options(classes=("a", "b", "c")),
            "has 2 outputs, but 3 classes",
        ),
        (
            "python:own_model:findings",
            options(size=31),
            r"cannot take images of shape \(3, 31, 31\)",
        ),
        ("python:own_model:findings", options(), "choose one with --finding"),
        ("python:own_model:findings", options(finding="x"), "has 3 outputs: name them all"),
        ("python:own_model:findings", options(finding="all"), "has 3 outputs: name them all"),
        (
            "python:own_model:findings",
            options(classes=("No Finding", "mass", "edema"), finding="all"),
            "has an output 'No Finding', so --finding all is ambiguous",
        ),
        ("python:own_model:whole", options(), "remove these options"),
        ("python:own_model:number", options(), "returned a int, not a torch.nn.Module"),
        ("python:own_model:broken", options(), r"failed \(RuntimeError: no such disk\)"),
        ("python:own_model:nothing", options(), r"failed \(AttributeError"),
        ("python:nowhere:nothing", options(), r"failed \(ModuleNotFoundError"),
        ("python:own_model:features", options(), r"features gives \(8, 4, 30, 30\) for a batch"),
        ("timm:test_resnet", options(), r"needs --weights FILE.safetensors"),
        ("timm:test_resnet", options(weights="w.safetensors"), "does not fit the architecture"),
        ("timm:test_resnot", options(weights="w.safetensors"), "timm has no model 'test_resnot'"),
        ("x.onnx", options(), "cannot be converted from ONNX"),
        ("nowhere.onnx", options(), "does not exist"),
        ("readme.txt", options(), "is not a model: give a folder of"),
        (".", options(), "has no model.json"),
    ]
    for spec, said, message in cases:
        with pytest.raises(InputError, match=message):
            load_model(spec, said)


def test_a_network_by_a_function_is_audited_from_the_command_line(
    module: Path, class_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", "--model", "python:own_model:softmax", "--classes", "dark", "light"]
    words += ["--size", "32", "--mean", "0", "0", "0", "--std", "1", "1", "1"]
    words += ["--natural", "builtin:noise", "--photographs", "12", "--cohort", str(class_folders)]
    words += [
        "--out",
        "out",
        "--norm",
        "linf",
        "--eps-levels",
        "40",
        "--method",
        "gradient:steps=2",
    ]
    main(words)
    assert (module / "out" / "report.html").exists()
    words[words.index("gradient:steps=2")] = "lift:steps=1"
    with pytest.raises(SystemExit):
        main([*words, "--public", "x.safetensors", "--force"])
    assert "does not name the architecture" in " ".join(capsys.readouterr().err.split())
