"""Interrupted audits: resumed to the same end, and only with the same settings and files."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from audit_runs import PLAN, KilledAfter, comparable
from full_disk import refusal_in_child, with_room
from straylight.audit.plan import Plan
from straylight.audit.results import Audit
from straylight.audit.run import run
from straylight.audit.storage import load_audit
from straylight.audit.unfinished import read_unfinished
from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.core.strict_json import seal_json
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from straylight.report.render import write_report
from tiny_audits import NAMES, SHAPE, TINY_PLAN, Brightness, raise_interrupt, stop_audit, tiny_parts


def test_a_killed_audit_goes_on_to_the_same_end(
    finished: tuple[Audit, Path], parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    for starts in (0, 1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            run(PLAN, *parts, tmp_path, tracker=KilledAfter(starts))
        assert not (tmp_path / "audit.json").exists()
    done = json.loads((tmp_path / "unfinished.json").read_text())["perturbations"]
    assert [item["name"] for item in done] == ["gradient", "sequential", "gradient to light"]
    resumed = run(PLAN, *parts, tmp_path)
    assert comparable(resumed) == comparable(finished[0])
    assert [item.seconds for item in resumed.of_role("attack")] == [
        item["seconds"] for item in done
    ]
    assert not (tmp_path / "unfinished.json").exists()


def test_an_unfinished_audit_of_other_settings_is_kept(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(PLAN, *parts, tmp_path, tracker=KilledAfter(2))
    with pytest.raises(InputError, match="unfinished audit with other settings"):
        run(replace(PLAN, seed=1), *parts, tmp_path)
    assert (tmp_path / "unfinished.json").exists()
    (tmp_path / "unfinished.json").write_text("{")
    with pytest.raises(InputError, match="is broken"):
        run(PLAN, *parts, tmp_path)


def changed(name: str) -> tuple[Plan, Classifier, ImageSet, Cohort]:
    """The parts of the audit, one of them another."""
    classifier, photographs, cohort = tiny_parts()
    plan = TINY_PLAN
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
            run(TINY_PLAN, *tiny_parts(), half)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("spoil", ["zeros", "other", "gone", "link", "folder", "bit"])
def test_case_8b_a_perturbation_that_was_altered_is_made_again(
    whole: tuple[Audit, Path], tmp_path: Path, spoil: str
) -> None:
    stop_audit(tmp_path)
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
    resumed = run(TINY_PLAN, *tiny_parts(), tmp_path)
    assert comparable(resumed) == comparable(whole[0])
    assert path.read_bytes() == (whole[1] / resumed.perturbations[0].file).read_bytes()


def test_case_19d_every_wrong_bit_of_an_unfinished_audit_is_found(
    half: Path, tmp_path: Path
) -> None:
    data = bytearray((half / "unfinished.json").read_bytes())
    path = tmp_path / "unfinished.json"
    path.write_bytes(data)
    assert [item.name for item in read_unfinished(path)[1]] == ["gradient"]
    places = np.random.default_rng(0).permutation(8 * len(data))[:300].tolist()
    for place in places:
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        data[place // 8] ^= 1 << place % 8
        with pytest.raises(InputError, match="is broken"):
            read_unfinished(path)


HOSTILE = {
    "deep": "[" * 100_000,
    "deep-object": '{"perturbations": ' + '{"a":' * 90_000 + "1" + "}" * 90_001,
    "file-a-number": seal_json({"fingerprint": "x", "perturbations": [{"file": 7}]}),
    "not-a-list": seal_json({"fingerprint": "x", "perturbations": {"a": 1}}),
    "no-list": seal_json({"fingerprint": "x"}),
    "unsealed": json.dumps({"fingerprint": "x", "perturbations": []}),
    "twice": '{"sha256": "a", "sha256": "b"}',
    "null": "null",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_case_19d_a_hostile_unfinished_audit_is_refused(
    half: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "unfinished.json").write_text(HOSTILE[name])
    with pytest.raises(InputError, match=r"unfinished\.json is broken .* or give another folder"):
        run(TINY_PLAN, *tiny_parts(), tmp_path)
    assert (tmp_path / "unfinished.json").read_text() == HOSTILE[name]


def test_images_are_not_shown_that_only_a_killed_audit_was_to_show(
    whole: tuple[Audit, Path], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True, finish=raise_interrupt)
    assert (tmp_path / "examples.npy").exists()
    again = run(TINY_PLAN, *tiny_parts(), tmp_path, finish=write_report)
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
                run(TINY_PLAN, *tiny_parts(), out, show_images=True, finish=write_report)
            finally:
                os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            break
        resumed = run(TINY_PLAN, *tiny_parts(), out, show_images=True, finish=write_report)
        assert comparable(resumed) == comparable(whole[0])
        assert sorted(f.relative_to(out) for f in out.rglob("*")) == sorted(
            f.relative_to(whole[1]) for f in whole[1].rglob("*")
        )
        moments += 1
    assert moments > 8


@pytest.mark.parametrize("room", [100, 900, 2_000, 20_000])
def test_case_19b_a_full_disk_is_one_sentence_and_the_audit_goes_on(
    whole: tuple[Audit, Path], tmp_path: Path, room: int
) -> None:
    out = tmp_path / "out"

    def act() -> None:
        with_room(
            room, lambda: run(TINY_PLAN, *tiny_parts(), out, show_images=True, finish=write_report)
        )

    said = refusal_in_child(act, tmp_path / "told")
    assert "cannot be written (File too large)" in said
    assert "the same command resumes it" in said
    resumed = run(TINY_PLAN, *tiny_parts(), out, show_images=True, finish=write_report)
    assert comparable(resumed) == comparable(whole[0])
    assert {f.name for f in out.iterdir()} == {f.name for f in whole[1].iterdir()}


def test_case_19c_a_folder_that_vanishes_is_one_sentence(
    whole: tuple[Audit, Path], tmp_path: Path
) -> None:
    import shutil

    class Gone(Silent):
        def start(self, title: str, total: int) -> None:
            if title == "controls":
                shutil.rmtree(tmp_path / "out")

    with pytest.raises(InputError, match=r"cannot be (written|read)"):
        run(TINY_PLAN, *tiny_parts(), tmp_path / "out", tracker=Gone())
    again = run(TINY_PLAN, *tiny_parts(), tmp_path / "out")
    assert comparable(again) == comparable(whole[0])
