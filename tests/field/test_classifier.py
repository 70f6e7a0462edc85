"""Networks as users have them, through the command line and through Python."""

import hashlib
import importlib
import json
import sys
import threading
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import straylight.models.outputs
from straylight import Gradient, ModelOptions, Plan, Sequential, load_model, preflight, run
from straylight.cli.main import main
from straylight.cohort.load import Cohort
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.models.card import ModelCard, load_classifier, save_classifier
from straylight.models.classifier import Classifier, count_passes
from straylight.models.memory_format import freeze
from straylight.models.raw_outputs import as_table
from straylight.models.specification import plain_names, plain_numbers

SHAPE = (3, 16, 16)
NAMES = tuple("ABCDEFG")
Forward = Callable[["Net", Tensor], Any]


class Net(nn.Module):
    """A small network whose forward pass is given."""

    def __init__(self, forward: Forward, n: int = 7) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc, self.told = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(128, n), forward

    def features(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(F.relu(self.conv(images)), 4)

    def logits(self, images: Tensor) -> Tensor:
        out: Tensor = self.fc(self.features(images).flatten(1))
        return out

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401
        return self.told(self, images)


def logits(net: Net, images: Tensor) -> Tensor:
    return net.logits(images)


def viewed(net: Net, images: Tensor) -> Tensor:
    out: Tensor = net.fc(net.features(images).view(images.size(0), -1))
    return out


def classifier(network: nn.Module, **changes: Any) -> Classifier:  # noqa: ANN401
    return Classifier(network, **({"shape": SHAPE, "class_names": NAMES} | changes))


def others(n: int) -> ImageSet:
    """Photographs: none of them is in a cohort."""
    pixels = np.random.default_rng(1).integers(0, 256, (n, *SHAPE), dtype=np.uint8)
    return ImageSet(torch.from_numpy(pixels), "photographs")


def cohort(n: int = 65, names: tuple[str, ...] = NAMES) -> Cohort:
    labels = torch.arange(n) % len(names)
    pixels = np.random.default_rng(0).integers(0, 120, (n, *SHAPE), dtype=np.uint8)
    pixels += (labels.numpy() * 120 // len(names)).astype(np.uint8)[:, None, None, None]
    return Cohort(ImageSet(torch.from_numpy(pixels), "cohort"), labels, names)


IMAGES = cohort(3).images.images(slice(None))


def expected(images: Tensor = IMAGES, forward: Forward = logits) -> Tensor:
    """Return what torch alone gives."""
    with torch.no_grad():
        out: Tensor = Net(forward)((images - 0.5) / 0.5)
    return out


def test_case_2_a_network_that_flattens_with_view_runs_contiguous() -> None:
    found = classifier(Net(viewed))
    assert torch.equal(found(IMAGES), expected(forward=viewed))
    assert found.layout == torch.contiguous_format
    images = IMAGES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(found(images).sum(), images)
    assert gradient.abs().sum() > 0
    assert classifier(Net(logits)).layout == torch.channels_last


def test_case_2_a_network_that_looks_at_strides_keeps_its_values() -> None:
    def strided(net: Net, images: Tensor) -> Tensor:
        features = net.features(images)
        out: Tensor = net.fc(features.as_strided((len(features), 128), (128, 1)))
        return out

    found = classifier(Net(strided))
    assert torch.equal(found(IMAGES), expected())
    assert found.layout == torch.contiguous_format


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_case_2_programs_that_flatten_with_view(tmp_path: Path) -> None:
    network = Net(viewed).eval()
    torch.jit.trace(network, IMAGES).save(tmp_path / "net.pt")
    said = ModelOptions(classes=NAMES, size=16, mean=(0.5,) * 3, std=(0.5,) * 3, head="logits")
    found = load_model(tmp_path / "net.pt", said)
    torch.testing.assert_close(found(IMAGES), expected(forward=viewed))
    digest = hashlib.sha256((tmp_path / "net.pt").read_bytes()).hexdigest()
    assert found.card["files"] == {"net.pt": digest}


@pytest.mark.parametrize("n", [1, 2, 7, 65])
def test_case_9_a_squeezed_batch_is_put_right(n: int) -> None:
    found = classifier(Net(lambda net, images: net.logits(images).squeeze()))
    images = cohort(n).images.images(slice(None))
    torch.testing.assert_close(found(images), expected(images))
    for k in (1, 7):
        whole = torch.rand(n, k)
        assert torch.equal(as_table(whole.squeeze(), n, {k}), whole)
        assert torch.equal(as_table(whole[:, :, None, None], n, {k}), whole)


def test_case_9_a_squeezed_network_is_audited_with_a_last_batch_of_one(tmp_path: Path) -> None:
    found, data = classifier(Net(lambda net, x: net.logits(x).squeeze())), cohort(65)
    plan = Plan(zeta=0.05, methods=(Sequential(),), control_seeds=1)
    audit = run(plan, found, others(4), data, tmp_path)
    assert audit.cohort.n == 65


@pytest.mark.parametrize("n", [1, 5, 10])
def test_case_10_another_number_of_outputs_is_refused(n: int, tmp_path: Path) -> None:
    found, data = classifier(Net(logits, n)), cohort()
    outputs = "1 output" if n == 1 else f"{n} outputs"
    sentence = f"^the model has {outputs}, but 7 classes are named: A, B, C, D, E, F, G.$"
    with pytest.raises(InputError, match=sentence):
        preflight(found, data)
    with pytest.raises(InputError, match=sentence):
        run(Plan(zeta=0.05, methods=(Gradient(steps=1),)), found, others(4), data, tmp_path)
    with pytest.raises(InputError, match=r"Head\(network, 'one-logit'\)"):
        classifier(Net(logits, 1), class_names=("A", "B"))(IMAGES)


@dataclass
class Scores:
    scores: Tensor
    features: Tensor


Pair = namedtuple("Pair", "logits aux")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda y: (y, torch.zeros(len(y), 2)),
        lambda y: [y],
        lambda y: {"logits": y, "probabilities": y},
        lambda y: {"out": y, "features": y[:, :3]},
        lambda y: Pair(y, y),
        lambda y: Scores(y, y[:, None, None, :2]),
    ],
)
def test_case_14_wrapped_logits_are_taken(wrap: Callable[[Tensor], object]) -> None:
    found = classifier(Net(lambda net, images: wrap(net.logits(images))))
    torch.testing.assert_close(found(IMAGES), expected())


def test_case_14_a_model_output_of_transformers_is_taken() -> None:
    outputs = pytest.importorskip("transformers.modeling_outputs")
    kind = outputs.ImageClassifierOutput
    found = classifier(Net(lambda net, images: kind(logits=net.logits(images))))
    torch.testing.assert_close(found(IMAGES), expected())


def test_case_14_ambiguous_outputs_say_how_to_return_the_logits() -> None:
    found = classifier(Net(lambda net, x: {"first": net.logits(x), "second": net.logits(x)}))
    with pytest.raises(InputError, match=r"'return self.network\(images\)\['first'\]'"):
        found(IMAGES)


@pytest.mark.parametrize("names", [list(NAMES), np.array(NAMES), iter(NAMES)])
def test_case_22_names_in_any_row(names: Any) -> None:  # noqa: ANN401
    assert classifier(Net(logits), class_names=names).class_names == NAMES


@pytest.mark.parametrize(
    "half", [0.5, (0.5,), [0.5] * 3, np.float32(0.5), np.full(3, 0.5), torch.full((3, 1, 1), 0.5)]
)
def test_case_22_normalisation_in_any_row(half: Any) -> None:  # noqa: ANN401
    found = classifier(Net(logits), mean=half, std=half)
    torch.testing.assert_close(found(IMAGES), expected())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"class_names": "ABCDEFG"}, "at least two classes"),
        ({"class_names": [*"ABCDEFF"]}, "have the name F more than once"),
        ({"class_names": ["A", " "]}, "need a name each, not ' '"),
        ({"mean": (0.5, 0.5)}, "one number is needed for grey images, or three for RGB"),
        ({"mean": 10**400}, "needs finite numbers"),
        ({"std": [1, 1, float("nan")]}, "needs finite numbers, one for each channel, not nan"),
        ({"std": 0}, "with std > 0, not 0.0"),
        ({"shape": (3, 16)}, r"is \(channels, height, width\), not \(3, 16\)"),
        ({"shape": (3, 2**20, 16)}, "1 to 4096 pixels a side"),
        ({"card": {"weights": torch.zeros(1)}}, "plain data that JSON can hold"),
    ],
)
def test_case_22_other_arguments_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        classifier(Net(logits), **changes)


def test_case_22_what_is_of_another_kind_is_refused() -> None:
    """By the functions that take whatever a user gives: the types of the tests let nothing through."""
    for names in (range(7), None, [["A"]]):
        with pytest.raises(InputError, match="need a name each, not"):
            plain_names(names)
    for numbers in ("0.5", None, True, 1j, {"r": 1}, object(), [[0.1, 0.2], [0.3, 0.4]]):
        with pytest.raises(InputError, match="needs finite numbers, one for each channel, not"):
            plain_numbers(numbers, "mean")
    for network in ("resnet18", Net, len, None):
        with pytest.raises(InputError, match=r"is made of a torch\.nn\.Module, not of"):
            freeze(network)
    with pytest.raises(InputError, match="is a Classifier already"):
        classifier(classifier(Net(logits)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_case_23_other_precisions_are_converted_and_said(dtype: torch.dtype) -> None:
    network = Net(logits).to(dtype)
    stored = {name: tensor.float() for name, tensor in network.state_dict().items()}
    reference = Net(logits)
    reference.load_state_dict(stored)
    found = classifier(network)
    torch.testing.assert_close(found(IMAGES), reference((IMAGES - 0.5) / 0.5))
    note = next(item for item in preflight(found, cohort()) if item.check == "model")
    assert f"converted from {dtype}".replace("torch.", "") in note.message
    assert note.level == "note"


def test_case_23_a_network_that_casts_inside_is_refused_by_name() -> None:
    found = classifier(Net(lambda net, images: net.logits(images.half())))
    with pytest.raises(InputError, match="give the network in float32"):
        found(IMAGES)


MODULE = """
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
    Path("contract_model.py").write_text(MODULE)
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


def test_first_user_13_digests_are_those_of_the_files(tmp_path: Path) -> None:
    card = ModelCard("test_resnet", {}, SHAPE, ("a", "b"), (0.5,) * 3, (0.5,) * 3, {})
    save_classifier(tmp_path, card.build(), card)
    files = load_classifier(tmp_path).card["files"]
    assert files == load_model(tmp_path).card["files"]
    assert files == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in ("model.json", "model.safetensors")
    }


def test_a_classifier_that_changes_while_it_is_audited_is_refused(tmp_path: Path) -> None:
    class Counts(Net):
        calls = 0

        def forward(self, images: Tensor) -> Any:  # noqa: ANN401
            Counts.calls += 1
            return self.logits(images) * (1 if Counts.calls < 30 else -1)

    data = cohort(24)
    plan = Plan(zeta=0.05, methods=(Gradient(steps=20, batch_size=4),), control_seeds=1)
    with pytest.raises(
        InputError, match="gives other outputs for the same images than at the start"
    ):
        run(plan, classifier(Counts(logits)), others(24), data, tmp_path)


def test_a_network_that_cannot_be_copied_is_audited(tmp_path: Path) -> None:
    network, data = Net(logits), cohort(24)
    network.lock = threading.Lock()
    plan = Plan(zeta=0.05, methods=(Gradient(steps=1, batch_size=4),), control_seeds=1)
    assert run(plan, classifier(network), others(24), data, tmp_path).cohort.n == 24


def test_nan_for_some_images_is_found_and_not_raised() -> None:
    def some(net: Net, images: Tensor) -> Tensor:
        dark = images.mean((1, 2, 3)) < images.mean()
        return net.logits(images).masked_fill(dark[:, None], torch.nan)

    findings = preflight(classifier(Net(some)), cohort())
    assert "outputs" in [item.check for item in findings if item.level == "error"]


def test_a_cohort_of_others_is_refused_in_python() -> None:
    found, data = classifier(Net(logits)), cohort()
    others = Cohort(data.images, data.labels, tuple("abcdefg"))
    with pytest.raises(InputError, match="has the classes a, b, c, d, e, f, g; the classifier has"):
        preflight(found, others)
    with pytest.raises(InputError, match="one number from 0 to 6 is needed for each image"):
        preflight(found, Cohort(data.images, data.labels + 1, NAMES))


def moved(net: Net, images: Tensor) -> Tensor:
    net.fc.weight.data.add_(1e-6)
    return net.logits(images)


def counted(net: Net, images: Tensor) -> Tensor:
    net.calls = getattr(net, "calls", 0) + 1
    return net.logits(images) + net.calls


UNSTEADY: dict[str, tuple[Forward, str]] = {
    "mean": (lambda net, x: net.logits(x) - net.logits(x).mean(0), "a row depends on its batch"),
    "flip": (lambda net, x: net.logits(x.flip(0)), "a row depends on its batch"),
    "norm": (lambda net, x: net.logits(x / x.std()), "a row depends on its batch"),
    "random": (
        lambda net, x: net.logits(F.dropout(x)),
        "gives other answers when it is asked again",
    ),
    "state": (counted, "gives other answers when it is asked again"),
    "weights": (moved, "changes its weights as it is called"),
}


@pytest.mark.parametrize("name", UNSTEADY)
def test_images_without_one_answer_are_refused_in_python(name: str) -> None:
    forward, sentence = UNSTEADY[name]
    found = classifier(Net(forward))
    for _ in range(2):
        with pytest.raises(InputError, match=f"^the model .*{sentence}.*so no figures"):
            found.predict(IMAGES)
    with pytest.raises(InputError, match=sentence):
        found.predict_all(cohort().images)


def test_an_answer_is_looked_at_once_and_a_cache_is_no_state() -> None:
    batches: list[int] = []

    def caches(net: Net, images: Tensor) -> Tensor:
        batches.append(len(images))
        if not hasattr(net, "scale"):
            net.register_buffer("scale", torch.ones(7))
        return net.logits(images) * net.scale

    found = classifier(Net(caches), layout=torch.contiguous_format)
    with count_passes(found) as passes:
        assert torch.equal(found.predict(IMAGES), expected().argmax(1))
        assert torch.equal(found.predict(IMAGES), expected().argmax(1))
    assert batches == [3, 1, 1, 1, 2, 3, 3, 3]
    assert passes.forward == 6


def test_the_head_that_is_proposed_for_one_output_runs() -> None:
    one = Net(lambda net, x: 9 * net.logits(x).sigmoid().logit(), 1)
    with pytest.raises(InputError, match=r"Head\(network, 'one-logit'\)"):
        classifier(one, class_names=("A", "B")).predict(IMAGES)
    network = one
    wrapped = straylight.models.outputs.Head(network, "one-logit")
    found = classifier(wrapped, class_names=("A", "B"))
    with torch.no_grad():
        says = network((IMAGES - 0.5) / 0.5)[:, 0] > 0
    assert found.predict(IMAGES).tolist() == says.long().tolist()


def test_what_cannot_be_frozen_is_named() -> None:
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(7))
    with pytest.raises(InputError, match=r"^python:mine:net has parameters without a shape"):
        classifier(lazy, spec="python:mine:net")
    with pytest.raises(InputError, match=r"^python:mine:net has parameters on meta"):
        classifier(Net(logits).to("meta"), spec="python:mine:net")


def test_a_network_that_ends_the_process_is_told_so() -> None:
    def ends(net: Net, images: Tensor) -> Tensor:
        raise SystemExit(0)

    with pytest.raises(InputError, match=r"in a batch of 3: it ends the process\.$"):
        classifier(Net(ends))(IMAGES)


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
    MODULE
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
