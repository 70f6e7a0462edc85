"""Field reports about what results are known by, and what kills, full disks and strangers leave."""

import json
import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from paths import ROOT
from straylight.attacks.gradient import Gradient
from straylight.audit.plan import Plan
from straylight.audit.results import Audit
from straylight.audit.run import run
from straylight.audit.storage import check_room, load_audit, save_audit
from straylight.audit.unfinished import read_ledger
from straylight.cli.main import main
from straylight.cohort.load import Cohort
from straylight.core.errors import InputError
from straylight.core.files import make_folder, staged, sweep, write_array, write_text
from straylight.core.progress import Silent
from straylight.core.strict_json import parse_json, sealed, unsealed
from straylight.data.images import ImageSet
from straylight.demo import run as demo
from straylight.models.card import load_classifier
from straylight.models.classifier import Classifier
from straylight.report.render import write_report
from straylight.study.config.grid import Grid
from straylight.study.config.toml import Document
from straylight.study.run import digests
from straylight.study.run.cell import Cell
from straylight.study.run.digests import Digests, check_unchanged, locate
from straylight.study.run.index import INDEX, Index
from straylight.study.run.runner import run_cell
from straylight.training.checkpoint import read_checkpoint
from straylight.training.finetune import finetune
from straylight.training.recipe import Recipe

SHAPE, NAMES = (3, 8, 8), ("dark", "light")
PLAN = Plan(zeta=0.2, methods=(Gradient(steps=2, batch_size=4),), control_seeds=1)
RECIPE = Recipe(backbone="test_resnet", weights="none", epochs=3, batch_size=8)


class Brightness(nn.Module):
    """Tells dark from light by the mean, with a little curvature."""

    def __init__(self, scale: float = 4.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = self.scale * images.flatten(1).mean(1)
        return torch.stack([-found, found + found.sin() / 10], 1)


def parts() -> tuple[Classifier, ImageSet, Cohort]:
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 2
    levels = 90 + 76 * labels[:, None, None, None] + rng.integers(-40, 40, (24, *SHAPE))
    cohort = Cohort(pixels(levels, "cohort"), torch.from_numpy(labels), NAMES)
    photographs = pixels(rng.integers(0, 256, (6, *SHAPE)), "photographs")
    return Classifier(Brightness(), shape=SHAPE, class_names=NAMES), photographs, cohort


def pixels(levels: np.ndarray, spec: str) -> ImageSet:
    return ImageSet(torch.from_numpy(levels.astype(np.uint8)), spec)


class KilledAt(Silent):
    """Stops as a key press would, when a piece of work starts or when so many epochs have begun."""

    def __init__(self, title: str = "", epoch: int = 0) -> None:
        self.title, self.epoch = title, epoch

    def start(self, title: str, total: int) -> None:
        if title == self.title:
            raise KeyboardInterrupt

    def advance(self, units: int, note: str = "") -> None:
        if self.epoch and note.startswith(f"epoch {self.epoch}/"):
            raise KeyboardInterrupt


def stopped_audit(out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(PLAN, *parts(), out, tracker=KilledAt("controls"))


def comparable(found: Audit) -> list[object]:
    return [replace(item, seconds=0.0) for item in found.perturbations]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Audit, Path]:
    """An undisturbed audit, with its report."""
    out = tmp_path_factory.mktemp("whole")
    return run(PLAN, *parts(), out, show_images=True, finish=write_report), out


@pytest.fixture
def copied(whole: tuple[Audit, Path], tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    import shutil

    return Path(shutil.copytree(whole[1], tmp_path / "audit"))


# Case 3, 4, 5: what a training starts from and learns on.


def training_data() -> Cohort:
    labels = torch.arange(24) % 2
    levels = (
        np.random.default_rng(0).integers(0, 200, (24, 3, 32, 32))
        + 50 * labels.numpy()[:, None, None, None]
    )
    return Cohort(pixels(levels, "training"), labels, NAMES)


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was killed after its first epoch."""
    out = tmp_path_factory.mktemp("unfinished")
    with pytest.raises(KeyboardInterrupt):
        finetune(training_data(), RECIPE, out, KilledAt(epoch=2))
    return out


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


def test_a_checkpoint_with_one_wrong_bit_is_not_trained_on(
    unfinished: Path, tmp_path: Path
) -> None:
    data = bytearray((unfinished / "checkpoint.safetensors").read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "checkpoint.safetensors"
    for place in rng.integers(0, len(data), 12):
        data[place] ^= 1
        path.write_bytes(data)
        data[place] ^= 1
        with pytest.raises(InputError, match="is broken"):
            read_checkpoint(path)
    path.write_bytes(data)
    assert len(read_checkpoint(path).history) == 1


def test_a_training_killed_after_its_card_is_finished_by_the_same_call(
    unfinished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr("straylight.training.epochs.suppress", killed)
        with pytest.raises(KeyboardInterrupt):
            finetune(training_data(), recipe, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} >= {"model.json", "checkpoint.safetensors"}
    card = (tmp_path / "model.json").read_bytes()
    finetune(training_data(), recipe, tmp_path)
    assert (tmp_path / "model.json").read_bytes() == card
    assert not (tmp_path / "checkpoint.safetensors").exists()
    with pytest.raises(InputError, match="already holds a model"):
        finetune(training_data(), recipe, tmp_path)


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_weights_that_are_not_those_of_their_card_are_refused(tmp_path: Path) -> None:
    finetune(training_data(), replace(RECIPE, epochs=1), tmp_path)
    path = tmp_path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"not the file that model\.json was written for"):
        load_classifier(tmp_path)


# Case 6, 7: what a study knows its data by.


def test_case_6_a_file_of_the_same_size_and_time_is_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "SETTLED", -1.0)
    path, cache = tmp_path / "c.npz", dict[str, str]()
    path.write_bytes(b"one")
    then = path.stat()
    first = Digests(cache).of(str(path))
    assert Digests(cache).of(str(path)) == first
    path.write_bytes(b"two")
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert Digests(cache).of(str(path)) != first
    with pytest.raises(InputError, match="has changed since the study began"):
        check_unchanged([(str(path), None, first)])


def test_case_6_what_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    cache = dict[str, str]()
    (tmp_path / "c.npz").write_bytes(b"one")
    Digests(cache).of(str(tmp_path / "c.npz"))
    assert cache == {}


def test_case_7_an_image_folder_of_the_hub_is_known_by_its_files(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / "set" / "test" / label).mkdir(parents=True)
        (tmp_path / "set" / "test" / label / "0.png").write_text(label)
    spec = f"hf:{tmp_path}/set:test"
    first = Digests({}).of(spec)
    (tmp_path / "set" / "test" / "a" / "0.png").rename(tmp_path / "set" / "test" / "b" / "1.png")
    assert Digests({}).of(spec) != first
    assert locate(spec) == ([tmp_path / "set"], "hf:test")
    assert locate("hf:org/name:test") == ([], "hf:org/name:test")


def test_case_7_files_behind_links_to_folders_count(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "0.png").write_text("one")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").symlink_to(tmp_path / "real")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    first = Digests({}).of(str(tmp_path / "set"))
    (tmp_path / "real" / "0.png").write_text("two")
    assert Digests({}).of(str(tmp_path / "set")) != first


def test_a_model_of_the_users_own_is_known_by_its_source_and_its_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own_parts.py").write_text("SCALE = 1\n")
    Path("own_net_x.py").write_text(
        "import torch\nfrom own_parts import SCALE\n"
        "def make():\n    net = torch.nn.Linear(2, 2)\n"
        "    net.load_state_dict(torch.load('w.pth', weights_only=True))\n    return net\n"
    )
    Path("other.py").write_text("")
    torch.save(nn.Linear(2, 2).state_dict(), "w.pth")
    spec, made = "python:own_net_x:make", digests.MADE_BY + "python:own_net_x:make"
    assert [path.name for path in locate(spec)[0]] == ["own_net_x.py", "own_parts.py"]
    first, tensors = Digests({}).of(spec), Digests({}).of(made)
    assert Digests({}).of(made) == tensors
    torch.save(nn.Linear(2, 2).state_dict(), "w.pth")
    assert Digests({}).of(made) != tensors
    assert Digests({}).of(spec) == first
    Path("own_parts.py").write_text("SCALE = 2\n")
    assert Digests({}).of(spec) != first


# Case 8b, 19d: what an unfinished audit is believed.


def changed(name: str) -> tuple[Plan, Classifier, ImageSet, Cohort]:
    """The parts of the audit, one of them another."""
    classifier, photographs, cohort = parts()
    plan = PLAN
    if name == "labels":
        cohort = replace(cohort, labels=1 - cohort.labels)
    if name == "class names":
        classifier = Classifier(Brightness(), shape=SHAPE, class_names=("light", "dark"))
        cohort = replace(cohort, class_names=("light", "dark"))
    if name == "weights":
        classifier = Classifier(Brightness(5.0), shape=SHAPE, class_names=NAMES)
    if name == "normalisation":
        classifier = Classifier(Brightness(), shape=SHAPE, class_names=NAMES, mean=(0.4, 0.5, 0.6))
    if name == "code":

        class Other(Brightness):
            pass

        classifier = Classifier(Other(), shape=SHAPE, class_names=NAMES)
    if name == "photographs":
        photographs = ImageSet(photographs.pixels.flip(0), photographs.spec)
    if name == "settings":
        plan = replace(plan, seed=1)
    return plan, classifier, photographs, cohort


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("half")
    stopped_audit(out)
    return out


@pytest.mark.parametrize(
    "name",
    ["labels", "class names", "weights", "normalisation", "code", "photographs", "settings"],
)
def test_an_audit_goes_on_only_with_all_that_it_began_with(half: Path, name: str) -> None:
    before = (half / "unfinished.json").read_bytes()
    with pytest.raises(InputError, match="holds an unfinished audit with other settings"):
        run(*changed(name), half)
    assert (half / "unfinished.json").read_bytes() == before


def test_an_audit_goes_on_only_with_as_many_threads(half: Path) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        with pytest.raises(InputError, match=rf"threads \(here {threads + 1}\)"):
            run(PLAN, *parts(), half)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("spoil", ["zeros", "other", "gone", "link", "folder", "bit"])
def test_case_8b_a_perturbation_that_was_altered_is_made_again(
    whole: tuple[Audit, Path], tmp_path: Path, spoil: str
) -> None:
    stopped_audit(tmp_path)
    (path,) = (tmp_path / "perturbations").iterdir()
    good = np.load(path)
    data = bytearray(path.read_bytes())
    path.unlink()
    if spoil in ("zeros", "other"):
        np.save(path, good * 0 if spoil == "zeros" else -good)
    elif spoil == "link":
        path.symlink_to("/dev/zero")
    elif spoil == "folder":
        path.symlink_to(tmp_path)
    elif spoil == "bit":
        data[-1] ^= 1
        path.write_bytes(data)
    resumed = run(PLAN, *parts(), tmp_path)
    assert comparable(resumed) == comparable(whole[0])
    assert path.read_bytes() == (whole[1] / resumed.perturbations[0].file).read_bytes()


def test_case_8b_a_report_is_not_drawn_from_other_files(copied: Path) -> None:
    names = [json.loads((copied / "audit.json").read_text())["perturbations"][0]["file"]]
    for name in [*names, "photographs.npy", "examples.npy"]:
        good = (copied / name).read_bytes()
        np.save(copied / name, np.load(copied / name)[..., ::-1])
        with pytest.raises(InputError, match="its digest differs"):
            write_report(copied)
        (copied / name).write_bytes(good)
    write_report(copied)


def test_an_older_audit_without_digests_is_still_read(copied: Path) -> None:
    data = json.loads((copied / "audit.json").read_text())
    for item in data["perturbations"]:
        del item["sha256"]
    del data["natural"]["examples_sha256"], data["cohort"]["examples"]["sha256"]
    del data["environment"]["fingerprint"]
    (copied / "audit.json").write_text(json.dumps(data))
    write_report(copied)
    assert json.loads(json.dumps(load_audit(copied).to_json())) == data


def test_case_19d_every_wrong_bit_of_a_ledger_is_found(half: Path, tmp_path: Path) -> None:
    data = bytearray((half / "unfinished.json").read_bytes())
    path = tmp_path / "unfinished.json"
    path.write_bytes(data)
    assert [item.name for item in read_ledger(path)[1]] == ["gradient"]
    places = np.random.default_rng(0).permutation(8 * len(data))[:300].tolist()
    for place in places:
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        data[place // 8] ^= 1 << place % 8
        with pytest.raises(InputError, match="is broken"):
            read_ledger(path)


HOSTILE = {
    "deep": "[" * 100_000,
    "deep-object": '{"perturbations": ' + '{"a":' * 90_000 + "1" + "}" * 90_001,
    "file-a-number": sealed({"fingerprint": "x", "perturbations": [{"file": 7}]}),
    "not-a-list": sealed({"fingerprint": "x", "perturbations": {"a": 1}}),
    "no-list": sealed({"fingerprint": "x"}),
    "unsealed": json.dumps({"fingerprint": "x", "perturbations": []}),
    "twice": '{"sha256": "a", "sha256": "b"}',
    "null": "null",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_case_19d_a_hostile_ledger_is_refused(half: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "unfinished.json").write_text(HOSTILE[name])
    with pytest.raises(InputError, match=r"unfinished\.json is broken .* or give another folder"):
        run(PLAN, *parts(), tmp_path)
    assert (tmp_path / "unfinished.json").read_text() == HOSTILE[name]


# Case 9: nothing is written through a link.


def test_case_9_planted_links_lead_nowhere(copied: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("report.html.partial", "report.html"):
        (copied / name).unlink(missing_ok=True)
        (copied / name).symlink_to(victim)
    main(["report", str(copied), "--json"])
    assert victim.read_text() == "precious"
    assert not (copied / "report.html").is_symlink()
    assert "<html" in (copied / "report.html").read_text()


def test_case_9_a_folder_that_is_a_link_is_not_written_into(tmp_path: Path) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    (elsewhere / "00-gradient.npy").write_text("precious")
    (out / "perturbations").symlink_to(elsewhere)
    with pytest.raises(InputError, match="perturbations is a link, and nothing is written through"):
        run(PLAN, *parts(), out)
    (out / "audit.json").write_text("{}")
    run(PLAN, *parts(), out, force=True)
    assert [file.read_text() for file in elsewhere.iterdir()] == ["precious"]
    assert not (out / "perturbations").is_symlink()


def test_case_9_a_study_writes_through_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / INDEX).symlink_to(victim)
    with pytest.raises(InputError, match="is not a file of its own"):
        Index(tmp_path / INDEX, write=True)
    cell = Cell(kind="x", identity={})
    partial = tmp_path / "cells" / f"{cell.id}.partial"
    partial.mkdir(parents=True)
    for name in ("lock", "error.txt", "cell.json.partial"):
        (partial / name).symlink_to(victim)
    assert run_cell(cell, tmp_path, lambda *_: {"n": 1}, Silent()).state == "done"
    assert victim.read_text() == "precious"


# Case 10 and what else a kill leaves.


def test_case_10_an_audit_killed_before_its_report_is_finished_by_the_same_call(
    whole: tuple[Audit, Path], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(PLAN, *parts(), tmp_path, show_images=True, finish=killed)
    assert (tmp_path / "unfinished.json").exists()
    written = (tmp_path / "audit.json").read_bytes()
    again = run(PLAN, *parts(), tmp_path, show_images=True, finish=write_report)
    assert comparable(again) == comparable(whole[0])
    assert (tmp_path / "audit.json").read_bytes() == written
    assert (tmp_path / "report.html").exists()
    assert not (tmp_path / "unfinished.json").exists()
    with pytest.raises(InputError, match="already holds an audit"):
        run(PLAN, *parts(), tmp_path, show_images=True, finish=write_report)


def test_case_10_what_was_altered_meanwhile_is_made_again(
    whole: tuple[Audit, Path], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(PLAN, *parts(), tmp_path, show_images=True, finish=killed)
    (tmp_path / "photographs.npy").write_bytes(b"x")
    first = whole[0].perturbations[0]
    np.save(tmp_path / first.file, np.zeros((1, *SHAPE), np.float32))
    again = run(PLAN, *parts(), tmp_path, show_images=True, finish=write_report)
    assert comparable(again) == comparable(whole[0])


@pytest.mark.parametrize("part", ["perturbation", "cohort", "preflight"])
def test_an_audit_that_was_changed_before_its_report_is_made_again(
    whole: tuple[Audit, Path], tmp_path: Path, part: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(PLAN, *parts(), tmp_path, show_images=True, finish=killed)
    written = json.loads((tmp_path / "audit.json").read_text())

    def change(data: dict[str, Any]) -> None:
        if part == "perturbation":
            data["perturbations"][0]["n_backward"] += 1
            data["perturbations"][0]["model_passes"] += 1
        elif part == "cohort":
            data["cohort"]["note"] = "another"
        else:
            data["preflight"] = []

    edited(tmp_path, change)
    again = run(PLAN, *parts(), tmp_path, show_images=True, finish=write_report)
    found = json.loads((tmp_path / "audit.json").read_text())
    assert {k: v for k, v in found.items() if k != "environment"} == {
        k: v for k, v in written.items() if k != "environment"
    }
    assert comparable(again) == comparable(whole[0])


def test_images_are_not_shown_that_only_a_killed_audit_was_to_show(
    whole: tuple[Audit, Path], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(PLAN, *parts(), tmp_path, show_images=True, finish=killed)
    assert (tmp_path / "examples.npy").exists()
    again = run(PLAN, *parts(), tmp_path, finish=write_report)
    assert again.cohort.examples is None
    assert load_audit(tmp_path).cohort.examples is None
    assert not (tmp_path / "examples.npy").exists()
    assert comparable(again) == comparable(whole[0])


def die_at(moment: int) -> None:
    """Have this process die in the place of putting its n-th file where it belongs."""
    original, left = Path.replace, [moment]

    def die(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, target)

    Path.replace = die  # type: ignore[method-assign, assignment]


def test_case_10_killed_at_any_write_and_resumed(whole: tuple[Audit, Path], tmp_path: Path) -> None:
    """The process dies at its n-th write, before the file gets its name; then it is run again."""
    moments = 0
    while True:
        out = tmp_path / str(moments)
        child = os.fork()
        if not child:
            die_at(moments)
            try:
                run(PLAN, *parts(), out, show_images=True, finish=write_report)
            finally:
                os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            break
        resumed = run(PLAN, *parts(), out, show_images=True, finish=write_report)
        assert comparable(resumed) == comparable(whole[0])
        assert sorted(f.relative_to(out) for f in out.rglob("*")) == sorted(
            f.relative_to(whole[1]) for f in whole[1].rglob("*")
        )
        moments += 1
    assert moments > 8


def test_what_is_being_written_is_not_swept_away(tmp_path: Path) -> None:
    with staged(tmp_path / "a.txt") as fresh:
        sweep(tmp_path)
        fresh.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    (tmp_path / ".b.txt.0123456789abcdef.partial").mkdir()
    (tmp_path / ".mine.partial").write_text("a file, and no folder of ours")
    for name in (".mydata.partial", ".b.0123456789abcdef.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("somebody's")
    sweep(tmp_path)
    kept = [".b.0123456789abcdef.partial", ".mine.partial", ".mydata.partial", "a.txt"]
    assert sorted(os.listdir(tmp_path)) == kept
    assert (tmp_path / ".mydata.partial" / "x").exists()


def test_force_removes_only_what_an_audit_wrote(copied: Path) -> None:
    mine = [
        copied / "perturbations" / "mynotes.txt",
        copied / "predictions" / "labels.npy",
        copied / "predictions" / "00-x.npy" / "a.txt",
    ]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    (copied / "perturbations" / "07-older.npy").write_text("of another audit")
    run(PLAN, *parts(), copied, force=True)
    assert [path.read_text() for path in mine] == ["precious"] * 3
    assert not (copied / "perturbations" / "07-older.npy").exists()


def test_two_audits_in_one_folder_at_once(whole: tuple[Audit, Path], tmp_path: Path) -> None:
    class Second(Silent):
        """Runs the whole audit while another waits before its controls."""

        def start(self, title: str, total: int) -> None:
            if title == "controls":
                run(PLAN, *parts(), tmp_path, show_images=True)

    first = run(PLAN, *parts(), tmp_path, show_images=True, tracker=Second())
    assert comparable(first) == comparable(whole[0])
    assert comparable(load_audit(tmp_path)) == comparable(whole[0])
    assert not (tmp_path / "unfinished.json").exists()


# Case 13, 16, 19, 22: files that are not what they should be.


@pytest.mark.parametrize("name", ["audit.json", "photographs.npy", "perturbation"])
@pytest.mark.parametrize("kind", ["pipe", "zero", "folder", "nowhere", "large"])
def test_case_13_pipes_and_devices_are_refused_at_once(
    copied: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copied / name
    if name == "perturbation":
        path = copied / load_audit(copied).perturbations[0].file
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        with path.open("wb") as stream:
            stream.truncate(2**40)
    else:
        path.symlink_to("/dev/zero" if kind == "zero" else "/nowhere")
    started = time.process_time()
    with pytest.raises(SystemExit) as ended:
        main(["report", str(copied)])
    assert ended.value.code == 2
    assert time.process_time() - started < 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert path.name in printed.err


def edited(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    data = json.loads((folder / "audit.json").read_text())
    change(data)
    (folder / "audit.json").write_text(json.dumps(data))
    return folder


def vast(data: dict[str, Any]) -> None:
    n = 2 * 10**20
    data["cohort"]["n"] = n
    tables = [data["cohort"]["clean_confusion"]]
    tables += [
        item[part] for item in data["perturbations"] for part in ("confusion", "transitions")
    ]
    for table in tables:
        table[:] = [[n // 2, 0], [0, n // 2]]


def moved(table: list[list[int]]) -> None:
    """Count one image in another row of the same column."""
    row, column = next((i, j) for i in range(2) for j in range(2) if table[i][j])
    table[row][column] -= 1
    table[1 - row][column] += 1


def swapped(table: list[list[int]]) -> None:
    """Count the images of one row in the other columns."""
    row = next(row for row in table if row[0] != row[1])
    row.reverse()


POINT = {"images_seen": 1, "model_passes": 1, "seconds": 1.0, "n_fooled": 1}
NOTE = {"level": "note", "check": "images", "message": "x"}

CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "16-skipped": lambda d: d["cohort"].update(skipped=[{"file": "a", "reason": 7}] * 300_000),
    "16-million": lambda d: d["natural"].update(skipped=[{"file": "a", "reason": "b"}] * 1_200_000),
    "16-note": lambda d: d["cohort"].update(note="x" * 50_000_000),
    "16-perturbations": lambda d: d.update(perturbations=d["perturbations"] * 900),
    "16-card": lambda d: d["model"].update(card={str(k): k for k in range(10**5)}),
    "16-rows": lambda d: d["cohort"].update(clean_confusion=[[0.5] * 10**5]),
    "19-counts": vast,
    "19-n": lambda d: d["cohort"].update(n=10**400),
    "19-float": lambda d: d["cohort"].update(n=24.0),
    "19-seconds": lambda d: d["perturbations"][0].update(seconds=10**400),
    "19-seed": lambda d: d["perturbations"][0].update(seed=10**30),
    "19-side": lambda d: d["model"].update(height=60_000, width=60_000),
    "11-curve": lambda d: d["perturbations"][0].update(curve=[POINT] * 200_000),
    "11-preflight": lambda d: d.update(preflight=[NOTE] * 100_000),
    "11-recalls": lambda d: d["perturbations"][0].update(recalls=[0.5] * 10**6),
    "15-margins": lambda d: moved(d["perturbations"][0]["confusion"]),
    "15-starts": lambda d: moved(d["perturbations"][0]["transitions"]),
    "15-ends": lambda d: swapped(d["perturbations"][0]["transitions"]),
    "15-rate": lambda d: d["perturbations"][0].update(fooling_rate=0.123),
    "15-counts": lambda d: d["cohort"]["counts"].update(dark=11),
    "15-accuracy": lambda d: d["cohort"].update(clean_accuracy=0.123),
    "15-distinct": lambda d: d["natural"].update(n_distinct=d["natural"]["n"] + 1),
    "22-line": lambda d: d["perturbations"][0].update(file="perturbations/a.npy\n"),
    "22-digest": lambda d: d["model"].update(sha256="a" * 64 + "\n"),
    "22-absolute": lambda d: d["natural"].update(examples="/etc/passwd"),
    "22-up": lambda d: d["natural"].update(examples="../a.npy"),
    "22-number": lambda d: d["perturbations"][0].update(file=7),
    "22-twins": lambda d: d["model"].update(class_names=["a", "a"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_case_16_19_22_a_hostile_audit_is_refused_at_once(copied: Path, name: str) -> None:
    edited(copied, CHANGES[name])
    started = time.process_time()
    with pytest.raises(InputError) as refused:
        load_audit(copied)
    assert time.process_time() - started < 2
    said = str(refused.value).replace(str(copied), "")
    assert said.isprintable()
    assert len(said) < 400


def test_the_size_of_a_perturbation_must_be_that_of_its_file(copied: Path) -> None:
    edited(copied, lambda data: data["perturbations"][0].update(linf=0.5))
    with pytest.raises(InputError, match=r"and the audit says 0\.5 of it"):
        write_report(copied)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"curve": 99_999_999_999}, "curve must be at most 64, not 99999999999"),
        ({"control_seeds": 99_999_999}, "control_seeds must be at most 256"),
    ],
)
def test_vast_settings_are_refused_at_once(settings: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Plan(zeta=0.02, **settings)  # type: ignore[arg-type]


def test_an_audit_that_no_reader_would_take_is_not_begun() -> None:
    names = tuple(f"class {k}" for k in range(100))
    check_room(412, names, 10_000, points=0, skipped=())
    check_room(9, names, 10_000, points=0, skipped=(("a.png", "broken"),) * 50_000)
    for n, many, files in ((2049, names, 0), (412, names * 2, 0), (9, names, 40_000)):
        with pytest.raises(InputError, match="do not fit into one audit"):
            check_room(n, many, 10_000, points=0, skipped=(("a" * 1_000, "broken"),) * files)


def test_what_would_not_be_read_is_not_written(whole: tuple[Audit, Path], tmp_path: Path) -> None:
    wrong = replace(whole[0], natural=replace(whole[0].natural, n_distinct=10**6))
    with pytest.raises(InputError, match="the audit cannot be written: natural/n_distinct exceeds"):
        save_audit(wrong, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_case_16_many_files_left_out_are_read_quickly(copied: Path) -> None:
    many = [{"file": f"{k}.png", "reason": "broken"} for k in range(100_000)]
    edited(copied, lambda data: data["cohort"].update(skipped=many))
    started = time.process_time()
    assert load_audit(copied).cohort.skipped == tuple(many)
    assert time.process_time() - started < 2


def test_json_is_read_as_its_standard_says() -> None:
    assert parse_json('{"a": "\\\\u0007 \\n \\u000a", "b": [1.5e3]}') == {
        "a": "\\u0007 \n \n",
        "b": [1500.0],
    }
    for text in (
        '{"a": 1, "a": 2}',
        '"\\u0007"',
        '"\\u009b"',
        '"\x7f"',
        '"\x9b"',
        '"\\ud800"',
        "1e999",
    ):
        with pytest.raises(ValueError, match="it "):
            parse_json(text)
    assert unsealed(sealed({"a": 1})) == {"a": 1}
    with pytest.raises(ValueError, match="its content is not that of its digest"):
        unsealed(sealed({"a": 1}).replace("1", "2", 1))


# Case 18: a study's file.

TOMLS = {
    "deep-list": "a = " + "[" * 100_000 + "]" * 100_000,
    "deep-table": "a = " + "{a=" * 3_000 + "1" + "}" * 3_000,
    "deep-key": ".".join("a" * 50_000) + " = 1",
    "digits": "a = " + "9" * 9_000,
    "long": "a = '" + "x" * 10_000 + "'",
    "many": "a = [" + "1," * 9_000 + "]",
    "large": "a = 1\n" * 200_000,
    "broken": "a = [\n" + "[1],\n" * 20_000,
    "nul": "a = '\0'",
}


@pytest.mark.parametrize("name", TOMLS)
def test_case_18_a_hostile_study_is_refused_at_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(TOMLS[name])
    check_refused(lambda: Grid(Document(path)), path)


def check_refused(read: Callable[[], object], path: Path) -> str:
    started = time.process_time()
    with pytest.raises(InputError) as refused:
        read()
    assert time.process_time() - started < 2
    said = str(refused.value)
    assert said.startswith(str(path))
    assert said.isprintable()
    assert len(said) < 400 + len(str(path))
    return said


GRID = """[cohorts.c]
test = "t"
classes = ["a", "b"]
[models.m]
model = "x.onnx"
[sources.s]
natural = "n"
[[audits]]
cohort = "c"
model = "m"
source = "s"
photographs = {0}
seed = {0}
zeta = [{1}]
methods = ["gradient"]
"""


def test_case_18_a_vast_grid_is_counted_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    numbers = list(range(1, 901))
    path.write_text(GRID.format(numbers, ", ".join(f"0.{n:03d}" for n in numbers)))
    said = check_refused(lambda: Grid(Document(path)), path)
    assert "729,000,000 audits" in said
    path.write_text(GRID.format([1, 2], "0.1"))
    assert len(Grid(Document(path)).entries) == 4


def test_variables_do_not_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(f"a = '{'${v}' * 900}'\n[variables]\nv = '{'x' * 4000}'\n")
    assert "with its variables it is longer" in check_refused(lambda: Document(path), path)


@pytest.mark.parametrize("kind", ["pipe", "zero", "folder"])
def test_a_study_that_is_not_a_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "study.toml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    check_refused(lambda: Document(path), path)


# Case 19b, 19c: no room, and no folder.


def in_child(act: Callable[[], object], told: Path) -> str:
    """Do something in a process of its own; return its refusal."""
    child = os.fork()
    if not child:
        try:
            act()
            text = "nothing was refused"
        except InputError as error:
            text = str(error)
        except BaseException as error:
            text = f"crashed: {error!r}"
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (-1, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        )
        os._exit(7 if not told.write_text(text) else 0)
    os.waitpid(child, 0)
    return told.read_text()


def with_room(size: int, act: Callable[[], object]) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    act()


@pytest.mark.parametrize("room", [100, 900, 2_000, 20_000])
def test_case_19b_a_full_disk_is_one_sentence_and_the_audit_goes_on(
    whole: tuple[Audit, Path], tmp_path: Path, room: int
) -> None:
    out = tmp_path / "out"

    def act() -> None:
        with_room(room, lambda: run(PLAN, *parts(), out, show_images=True, finish=write_report))

    said = in_child(act, tmp_path / "told")
    assert "cannot be written (File too large)" in said
    assert "the same command goes on from there" in said
    resumed = run(PLAN, *parts(), out, show_images=True, finish=write_report)
    assert comparable(resumed) == comparable(whole[0])
    assert {f.name for f in out.iterdir()} == {f.name for f in whole[1].iterdir()}


def test_case_19b_a_full_disk_in_a_training(tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    out = tmp_path / "m"
    said = in_child(
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


def test_case_19c_a_folder_that_vanishes_is_one_sentence(
    whole: tuple[Audit, Path], tmp_path: Path
) -> None:
    import shutil

    class Gone(Silent):
        def start(self, title: str, total: int) -> None:
            if title == "controls":
                shutil.rmtree(tmp_path / "out")

    with pytest.raises(InputError, match=r"cannot be (written|read)"):
        run(PLAN, *parts(), tmp_path / "out", tracker=Gone())
    again = run(PLAN, *parts(), tmp_path / "out")
    assert comparable(again) == comparable(whole[0])


def test_a_failed_write_leaves_what_stood_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    said = in_child(
        lambda: with_room(10, lambda: write_array(tmp_path / "a", np.zeros(99))), tmp_path / "told"
    )
    assert "a cannot be written (File too large)" in said
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["a", "told"]
    with pytest.raises(InputError, match="cannot be written to"):
        make_folder(tmp_path / "a" / "b")


# First-time user 2: the demo.


def test_make_demo_deletes_nothing() -> None:
    text = (ROOT / "Makefile").read_text()
    (line,) = [line for line in text.splitlines() if "straylight demo" in line]
    assert "--force" not in line


def test_reports_of_the_demo_are_written_as_each_audit_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both models are one small network here, and a key press stops the second audit."""
    monkeypatch.setattr(demo, "trained", lambda recipe, folder, tracker, force: parts()[0])
    monkeypatch.setattr(demo, "phantom_cohort", lambda n, seed: parts()[2])
    monkeypatch.setattr(demo, "load_natural", lambda *_, **__: parts()[1])
    monkeypatch.setattr(demo, "PLAN", PLAN)
    started = []

    class Stopped(Silent):
        def start(self, title: str, total: int) -> None:
            started.append(title)
            if started.count("controls") == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.run_demo(tmp_path, tracker=Stopped())
    assert (tmp_path / "transfer" / "report.html").exists()
    first = (tmp_path / "transfer" / "audit.json").read_bytes()
    demo.run_demo(tmp_path)
    assert (tmp_path / "transfer" / "audit.json").read_bytes() == first
    assert (tmp_path / "scratch" / "report.html").exists()
    with pytest.raises(InputError, match="other settings, images or code"):
        demo.run_demo(tmp_path, seed=1)
    assert (tmp_path / "transfer" / "audit.json").read_bytes() == first
