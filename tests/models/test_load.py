"""Classifiers that users bring: each kind made here, loaded, and the same function as it was."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn
from torchvision.models import get_model

from straylight.cli.main import main
from straylight.core.errors import InputError
from straylight.models.classifier import Classifier
from straylight.models.load import ModelOptions, load_model

IMAGES = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
MODULE = """
import torch
from torch import nn
from straylight import Classifier

class Level(nn.Module):
    def forward(self, images):
        level = images.mean((1, 2, 3))
        return torch.stack([-level, level], 1)

def level(): return Level()
def softmax(): return nn.Sequential(Level(), nn.Softmax(1))
class One(nn.Module):
    def forward(self, images):
        return 4 * (images.mean((1, 2, 3)) - 0.5)

def single(): return One()
def findings(): return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3), nn.Sigmoid())
def whole(): return Classifier(Level(), shape=(3, 32, 32), class_names=("dark", "light"))
def number(): return 7
def broken(): raise RuntimeError("no such disk")
def features(): return nn.Conv2d(3, 4, 3)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("own_model.py").write_text(MODULE)
    return tmp_path


def options(**changes: object) -> ModelOptions:
    fields: dict[str, object] = {
        "classes": ("a", "b"),
        "size": 32,
        "mean": (0.0,) * 3,
        "std": (1.0,) * 3,
    }
    return ModelOptions(**(fields | changes))  # type: ignore[arg-type]


def test_timm_by_name(tmp_path: Path) -> None:
    network = timm.create_model("test_resnet", num_classes=2).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    said = ModelOptions(
        weights=str(tmp_path / "w.safetensors"), classes=("a", "b"), head="logits"
    )  # untrained, it gives small numbers
    found = load_model("timm:test_resnet", said)
    assert found.shape == (3, *network.default_cfg["input_size"][1:])
    assert found.class_names == ("a", "b")
    mean, std = (torch.tensor(network.default_cfg[k]).view(3, 1, 1) for k in ("mean", "std"))
    torch.testing.assert_close(found(IMAGES), network((IMAGES - mean) / std))
    assert found.card["architecture"] == "test_resnet"


def test_torchvision_by_name(tmp_path: Path) -> None:
    network = get_model("squeezenet1_1", num_classes=2).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    said = ModelOptions(
        weights=str(tmp_path / "w.safetensors"),
        classes=("a", "b"),
        size=64,
        grey=True,
        head="logits",
    )
    found = load_model("torchvision:squeezenet1_1", said)
    assert found.shape == (1, 64, 64)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    grey = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(found(grey), network((grey.repeat(1, 3, 1, 1) - mean) / std))


def test_a_function_of_ones_own(module: Path) -> None:
    level = IMAGES.mean((1, 2, 3))
    expected = torch.stack([-level, level], 1)
    plain = load_model("python:own_model:level", options())
    torch.testing.assert_close(plain(IMAGES), expected)
    shifted = load_model("python:own_model:level", options(mean=(0.5,) * 3, std=(0.25,) * 3))
    torch.testing.assert_close(shifted(IMAGES), (expected - torch.tensor([-0.5, 0.5])) / 0.25)
    soft = load_model("python:own_model:softmax", options())
    assert soft.card["head"] == "probabilities"
    torch.testing.assert_close(soft(IMAGES).softmax(1), expected.softmax(1))
    single = load_model("python:own_model:single", options())
    assert single.card["head"] == "one-logit"
    light = (4 * (level - 0.5)).sigmoid()
    torch.testing.assert_close(single(IMAGES).softmax(1), torch.stack([1 - light, light], 1))
    said = options(classes=("effusion", "mass", "nodule"), finding="mass")
    torch.manual_seed(0)  # it begins at random
    mass = load_model("python:own_model:findings", said)
    assert (mass.card["head"], mass.class_names) == ("one-probability", ("no mass", "mass"))
    torch.manual_seed(0)
    together = load_model("python:own_model:findings", replace(said, finding="all"))
    assert together.class_names == ("no finding", "effusion", "mass", "nodule")
    assert together.card["finding"].startswith("the strongest of all that are more likely than not")
    assert mass.card["finding"] == "mass"
    torch.testing.assert_close(together(IMAGES)[:, 2], mass(IMAGES)[:, 1] - mass(IMAGES)[:, 0])
    assert isinstance(load_model("python:own_model:whole"), Classifier)


def write_onnx(path: Path) -> nn.Module:
    """Write a small network by hand; return the same in torch."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    weights = {name: t.detach().numpy() for name, t in network.state_dict().items()}
    nodes = [
        helper.make_node(
            "Conv", ["x", "0.weight", "0.bias"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]
        ),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "4.weight", "4.bias"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in weights.items()
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path
    )
    return network


def test_onnx_is_the_same_function_with_the_same_gradients(tmp_path: Path) -> None:
    network = write_onnx(tmp_path / "m.onnx")
    found = load_model(tmp_path / "m.onnx", options(head="logits"))
    grads = []
    for model in (network, found):
        images = IMAGES.clone().requires_grad_()
        logits = model(images)
        grads.append((logits.detach(), *torch.autograd.grad(logits.square().sum(), images)))
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs)


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
            "has an output 'No Finding', so that --finding all has no one meaning",
        ),
        ("python:own_model:whole", options(), "leave the options away"),
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
        ("readme.txt", options(), "is no model: give a folder of"),
        (".", options(), "has no model.json"),
    ]
    for spec, said, message in cases:
        with pytest.raises(InputError, match=message):
            load_model(spec, said)


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("executed"),)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "suffix", ["pt", "pth", "pt2", "bin", "ckpt", "pkl", "safetensors", "onnx"]
)
def test_no_pickle_is_ever_run(
    suffix: str, module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(f"m.{suffix}").write_bytes(pickle.dumps(Hostile()))
    words = ["audit", "--model", f"m.{suffix}", "--natural", "builtin:noise", "--cohort", "x"]
    words += ["--out", "out", "--zeta", "0.02", "--classes", "a", "b", "--size", "32"]
    words += ["--mean", "0", "0", "0", "--std", "1", "1", "1"]
    if suffix == "safetensors":
        words[2] = "timm:test_resnet"
        words += ["--weights", "m.safetensors"]
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert any(word in said for word in ("pickle", "ONNX", "broken archive"))
    assert not Path("executed").exists()


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
    assert "has no architecture by name" in " ".join(capsys.readouterr().err.split())
