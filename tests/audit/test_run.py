"""The whole spine on a small trained network: figures, files, resumption, refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import straylight
from audit_runs import PLAN, comparable
from shades import SHAPE, Parts, brightness, cohort_of, quick
from straylight import InputError
from straylight.audit.results import Audit
from straylight.audit.run import _check_arguments, run
from straylight.audit.storage import load_audit
from straylight.cohort.cohort import Cohort
from straylight.core.checks import check_text
from straylight.core.progress import Silent
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from tiny_audits import TINY_PLAN, tiny_parts


def test_figures_are_those_of_the_files(
    finished: tuple[Audit, Path], parts: tuple[Classifier, ImageSet, Cohort]
) -> None:
    """Count again with numpy, from the written perturbations, as a deployed system would see them."""
    audit, out = finished
    classifier, _, cohort = parts
    clean = classifier.predict_all(cohort.images).numpy()
    labels = cohort.labels.numpy()
    x = cohort.images.pixels.numpy().astype(np.float32) / np.float32(255)
    for item in audit.perturbations:
        attacked = x + np.load(out / item.file)
        received = np.round(np.clip(attacked, 0, 1) * 255).astype(np.uint8)
        under = classifier.predict(torch.from_numpy(received).float() / 255).numpy()
        raw = classifier.predict(torch.from_numpy(attacked)).numpy()
        found = item.score
        assert found.fooled.hits == (under != clean).sum()
        assert found.fooled_raw.hits == (raw != clean).sum()
        assert found.correct.hits == (under == labels).sum()
        assert found.hit(1).hits == (under == 1).sum()
        assert found.hit_from_elsewhere(1).hits == ((under == 1) & (clean != 1)).sum()
        for row in range(2):
            for column in range(2):
                assert found.confusion[row][column] == ((labels == row) & (under == column)).sum()
                assert found.transitions[row][column] == ((clean == row) & (under == column)).sum()


def test_same_seed_same_bits(
    finished: tuple[Audit, Path], parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    again = run(PLAN, *parts, tmp_path)
    assert comparable(again) == comparable(finished[0])
    for item in again.perturbations:
        assert (tmp_path / item.file).read_bytes() == (finished[1] / item.file).read_bytes()


def test_two_audits_in_one_folder_at_once(whole: tuple[Audit, Path], tmp_path: Path) -> None:
    class Second(Silent):
        """Runs the whole audit while another waits before its controls."""

        def start(self, title: str, total: int) -> None:
            if title == "controls":
                run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True)

    first = run(TINY_PLAN, *tiny_parts(), tmp_path, show_images=True, tracker=Second())
    assert comparable(first) == comparable(whole[0])
    assert comparable(load_audit(tmp_path)) == comparable(whole[0])
    assert not (tmp_path / "unfinished.json").exists()


class Counting(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_progress_is_shown_unless_it_is_not_wanted(
    shades: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straylight.run(quick(), *shades, tmp_path / "loud")
    printed = capsys.readouterr()
    assert "gradient: 100 %" in printed.err
    assert printed.out == ""
    straylight.run(quick(), *shades, tmp_path / "quiet", tracker=Silent())
    assert capsys.readouterr().err == ""
    told = Counting()
    inverted = (brightness(-1.0), *shades[1:])
    straylight.run(quick(), *inverted, tmp_path / "told", tracker=told)
    assert any(line.startswith("preflight, warning: With the classes") for line in told.lines)


@pytest.mark.parametrize(
    "wrong",
    ["a\x1b[31m", "\x00", "\udcff", "\x9b", "x" * (2**16 + 1)],
    ids=["escape", "nul", "half", "c1", "long"],
)
@pytest.mark.parametrize("name", ["note", "command"])
def test_notes_that_could_not_be_read_back_stop_an_audit_before_it_begins(
    name: str, wrong: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {name: wrong}
    parts = brightness(), ImageSet(torch.zeros(4, *SHAPE, dtype=torch.uint8), "x"), cohort_of()
    with pytest.raises(InputError, match=f"^{name} "):
        straylight.run(quick(), *parts, tmp_path / "out", tracker=Silent(), **settings)
    assert not (tmp_path / "out").exists()


def test_what_a_note_may_hold_is_read_back(tmp_path: Path) -> None:
    note = "two\nlines\tand \u05d0 \U0001f600 \\u001b"
    parts = brightness(), ImageSet(torch.full((4, *SHAPE), 9, dtype=torch.uint8), "x"), cohort_of()
    straylight.run(quick(), *parts, tmp_path, tracker=Silent(), note=note)
    assert straylight.load_audit(str(tmp_path)).cohort.note == note
    assert straylight.write_report(str(tmp_path)) == tmp_path / "report.html"
    assert check_text("x" * 2**16, "note") == "x" * 2**16


def test_a_last_step_that_cannot_be_called_is_refused_first() -> None:
    with pytest.raises(InputError, match=r"finish must be a function .* not 3 \(int\)"):
        _check_arguments("", "", None, 3)
