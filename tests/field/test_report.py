"""What users met: attacks that write into photographs, texts that cannot be recorded, closed outputs."""

import errno
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import straylight
from field.test_using import SHAPE, brightness, cohort_of, quick, refusal
from straylight import Classifier, Cohort, ImageSet, InputError, Recipe, Snapshot
from straylight.attacks.ball import Ball
from straylight.attacks.gradient import Gradient
from straylight.audit.photographs_used import Looks
from straylight.audit.run import check_types
from straylight.cli.finetune import FinetuneCommand
from straylight.cli.main import main
from straylight.core.checks import check_kind, folder_of, text
from straylight.core.progress import Lines, Silent, say, shown
from straylight.data.images import CopiedImages
from straylight.data.photographs.pixel_file import mapped
from straylight.evaluation.preflight.run import check_logits
from straylight.models.specification import plain_card, plain_names
from straylight.training.recipe import usual

ESCAPE = "\x1b[31m"


class Vandal:
    """Writes into every photograph that it can reach."""

    threat_model = "T1"
    takes_target = False

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return n_photographs

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        part = photographs.subset(torch.arange(len(photographs)))
        for images in (photographs, part):
            images.images(slice(None)).zero_()
            for pixels in (images.pixels, images.pixels_at(slice(0, 9)), images.stored):
                pixels.fill_(7)
                pixels.numpy()[:] = 9
        for batch in photographs.batches(4):
            batch.zero_()
        yield Snapshot(ball.scale(torch.ones(1, *photographs.shape)), len(photographs))


@pytest.mark.parametrize("where", ["memory", "file"])
def test_3_an_own_attack_cannot_spoil_the_photographs_of_the_next(
    where: str, tmp_path: Path
) -> None:
    pixels = torch.randint(0, 256, (40, *SHAPE), dtype=torch.uint8)
    np.save(tmp_path / "pixels.npy", pixels.numpy())
    stored = mapped(tmp_path / "pixels.npy") if where == "file" else pixels.clone()
    photographs = ImageSet(stored, "random")
    parts = brightness(), photographs, cohort_of()
    alone = straylight.run(quick(), *parts, tmp_path / "alone", tracker=Silent())
    methods = (Vandal(), Gradient(steps=2, batch_size=4))
    both = straylight.run(quick(methods=methods), *parts, tmp_path / "both", tracker=Silent())
    assert torch.equal(photographs.stored, pixels)
    assert both.perturbations[0].n_distinct_seen == 40
    assert both.perturbations[1].sha256 == alone.perturbations[0].sha256


def test_3_copies_are_the_same_images() -> None:
    pixels = torch.arange(5 * 64, dtype=torch.int64).to(torch.uint8).view(5, *SHAPE)
    whole = ImageSet(pixels, "five")
    some = whole.subset(torch.tensor([4, 1, 3]))
    for images in (whole, some):
        looks = Looks.at(images)
        copies = CopiedImages(looks)
        assert (len(copies), copies.shape, copies.sha256) == (len(images), SHAPE, images.sha256)
        assert torch.equal(copies.subset(torch.tensor([2])).pixels, images.pixels[2:3])
        assert torch.equal(copies.stored, images.pixels)
        assert looks.n_distinct == len(images)
        assert copies.mean_norm("l2") == images.mean_norm("l2")


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\x00", "a\udcff", "a\nb", "a\x85", "x" * 1001])
def test_4_names_that_cannot_be_recorded_are_refused_at_once(name: str) -> None:
    with pytest.raises(InputError, match="cannot be recorded"):
        plain_names(["fine", name])
    cohort = cohort_of()
    with pytest.raises(InputError, match="cannot be recorded"):
        Cohort(cohort.images, cohort.labels, ("fine", name))


def test_4_names_of_other_scripts_are_names() -> None:
    names = ("\u05d0\u202e", "\U0001f600 caf\u00e9", "x" * 1000)
    assert plain_names(names) == names


@pytest.mark.parametrize(
    "wrong",
    ["a\x1b[31m", "\x00", "\udcff", "\x9b", "x" * (2**16 + 1)],
    ids=["escape", "nul", "half", "c1", "long"],
)
@pytest.mark.parametrize("name", ["note", "command"])
def test_4_notes_that_could_not_be_read_back_stop_an_audit_before_it_begins(
    name: str, wrong: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {name: wrong}
    parts = brightness(), ImageSet(torch.zeros(4, *SHAPE, dtype=torch.uint8), "x"), cohort_of()
    with pytest.raises(InputError, match=f"^{name} "):
        straylight.run(quick(), *parts, tmp_path / "out", tracker=Silent(), **settings)
    assert not (tmp_path / "out").exists()


def test_4_what_a_note_may_hold_is_read_back(tmp_path: Path) -> None:
    note = "two\nlines\tand \u05d0 \U0001f600 \\u001b"
    parts = brightness(), ImageSet(torch.full((4, *SHAPE), 9, dtype=torch.uint8), "x"), cohort_of()
    straylight.run(quick(), *parts, tmp_path, tracker=Silent(), note=note)
    assert straylight.load_audit(str(tmp_path)).cohort.note == note
    assert straylight.write_report(str(tmp_path)) == tmp_path / "report.html"
    assert text("x" * 2**16, "note") == "x" * 2**16


@pytest.mark.parametrize("value", [float("nan"), "\x1b", "\udcff", object()])
def test_4_a_card_that_could_not_be_read_back_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="plain data that JSON can hold"):
        plain_card({"key": value}, ())


def printed(console: Callable[[Console], object]) -> str:
    """Return what is printed on a wide terminal."""
    stream = StringIO()
    console(Console(file=stream, force_terminal=True, width=200, color_system=None))
    return stream.getvalue()


@pytest.mark.parametrize("name", ["md [/b]", "m [v2]", "[red]", "a 'b'"])
def test_8_names_are_printed_as_they_are(
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


def test_8_and_16_no_name_turns_or_colours_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(lambda out: say(out, f"{ESCAPE}a\u202eb\udcff")) == (
        "\\x1b[31ma\\u202eb\\udcff\n"
    )
    assert printed(lambda out: say(out, "one\n\u2068\u05d0\u2069")) == "one\n\u05d0\n"

    def track(out: Console) -> None:
        lines = Lines(out)
        lines.start("to \u202eb", 1)
        lines.advance(1)

    assert printed(track) == "to \\u202eb: 100 %, 0 s, 0 s left\n"
    assert ESCAPE not in refusal(capsys, "report", f"no{ESCAPE}where")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flips": "vertical"}, "flips must be one of none, horizontal, both, not 'vertical'"),
        ({"flips": True}, r"flips must be one of .* not True \(bool\)"),
        ({"sampling": None}, "sampling must be one of balanced, oversampled, not None"),
        ({"precision": "float16"}, "precision must be one of float32, bfloat16"),
        ({"schedule": ["steps"]}, "schedule must be one of"),
        ({"epochs": 1.5}, r"epochs must be a whole number, not 1.5 \(float\)"),
        ({"epochs": "8"}, "epochs must be a whole number, not '8'"),
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"epochs": 10**6 + 1}, "epochs must be at most 1000000"),
        ({"batch_size": 1}, "batch_size must be at least 2, not 1"),
        ({"seed": True}, "seed must be a whole number"),
        ({"seed": 2**32 + 1}, "seed must be at most 4294967296"),
        ({"learning_rate": "0.1"}, "learning_rate must be a number, such as 0.1, not '0.1'"),
        ({"learning_rate": 0}, "learning_rate must be positive, not 0.0"),
        ({"learning_rate": float("inf")}, "learning_rate must be positive, not inf"),
        ({"validation": 1}, "validation must lie between 0 and 1, not 1.0"),
        ({"validation": 0}, "validation must be positive"),
        ({"shift": 2}, "shift must be at most 1, not 2.0"),
        ({"rotation": 361}, "rotation must be at most 360"),
        ({"drops": (1, "2")}, "drops must be a whole number, not '2'"),
        ({"drops": None}, "drops must be a whole number, not None"),
        ({"mean": (0.5, 0.5)}, "one number is needed for grey images, or three"),
        ({"mean": "0.5"}, "mean .* needs finite numbers"),
        ({"std": (1, float("nan"), 1)}, "std .* needs finite numbers"),
        ({"backbone": ""}, "backbone must be a name, such as 'mobilenetv2_100', not ''"),
        ({"backbone": None}, "backbone must be a name"),
        ({"weights": 3}, r"weights must be a name, .* not 3 \(int\)"),
        ({"weights": "a\0b"}, "weights must be a name"),
        ({"backbone_args": [1]}, "backbone_args must be a dict"),
        ({"backbone_args": {1: 2}}, "backbone_args must be a dict"),
        ({"backbone_args": {"a": float("nan")}}, "backbone_args must hold numbers, words"),
        ({"backbone_args": {"a": object()}}, "backbone_args must hold numbers, words"),
    ],
)
def test_9_each_setting_of_a_recipe_is_checked(changes: dict[str, Any], message: str) -> None:
    recipe = object.__new__(Recipe)
    vars(recipe).update(vars(Recipe(backbone="x", schedule="steps")) | changes)
    with pytest.raises(InputError, match=message):
        recipe.__post_init__()


def test_9_numbers_of_any_type_are_taken() -> None:
    assert usual(np.int64(3), "epochs", int) == 3
    assert type(usual(np.float32(0.5), "shift", float)) is float
    assert usual(np.array([0.5, 0.25, 1]), "mean", tuple[float, ...]) == (0.5, 0.25, 1.0)
    assert usual([np.int32(4)], "drops", tuple[int, ...]) == (4,)
    assert usual(Path("a") / "b", "weights", str) == str(Path("a") / "b")
    json.dumps(usual({"pad_type": "same"}, "backbone_args", dict))


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: folder_of(None, "folder"), "folder must be a folder, .* not None"),
        (lambda: folder_of(b"x"), "out must be a folder"),
        (lambda: folder_of(Path("a\0b")), r"a\\x00b cannot be a folder"),
        (lambda: check_kind({}, "recipe", Recipe, "Recipe(...)"), r"recipe must be .* not \{\}"),
        (lambda: check_logits(torch.zeros(2, 3), (3, 2)), r"shape \(3, 2\), not \(2, 3\)"),
        (lambda: check_logits([0.0], (1, 2)), r"shape \(1, 2\), not list"),
    ],
)
def test_10_the_door_of_python_names_the_parameter(
    check: Callable[[], object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check()


def test_10_a_last_step_that_cannot_be_called_is_refused_first() -> None:
    parts = brightness(), ImageSet(torch.zeros(4, *SHAPE, dtype=torch.uint8), "x"), cohort_of()
    with pytest.raises(InputError, match=r"finish must be a function .* not 3 \(int\)"):
        check_types(quick(), *parts, finish=3)


def test_10_progress_is_shown_wherever_the_tracker_stands() -> None:
    given = []

    @shown
    def work(n: int, tracker: straylight.Tracker | None = None) -> int:
        given.append(tracker)
        return n

    mine = Silent()
    assert (work(1), work(2, None), work(3, mine), work(4, tracker=mine)) == (1, 2, 3, 4)
    assert [type(tracker).__name__ for tracker in given[:2]] == ["Lines", "Lines"]
    assert given[2:] == [mine, mine]


class Unwritable(StringIO):
    """A stream that cannot be written to."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, _: str, /) -> int:
        raise OSError(self.number, "No space left on device")


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (errno.ENOSPC, 1, "straylight: the output cannot be written (No space left on device): "),
        (errno.EPIPE, 141, ""),
    ],
)
def test_13_an_output_that_cannot_be_written_ends_in_no_traceback(
    number: int,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", Unwritable(number))
    with pytest.raises(SystemExit) as ended:
        main(["attacks", "--json"])
    assert ended.value.code == status
    assert capsys.readouterr().err.startswith(said)


BUDGET = (
    "audit",
    "--model",
    "m",
    "--natural",
    "a",
    "--cohort",
    "b",
    "--out",
    "c",
    "--norm",
    "linf",
)


def test_16_words_that_are_nearly_right(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = refusal(capsys, *BUDGET, "--eps-levels", "8/255")
    assert "8/255 is --eps 8/255, or --eps-levels 8" in said
    monkeypatch.chdir(tmp_path)
    said = refusal(capsys, "study", "staus", "x")
    assert (
        "study has no command 'staus', and there is no such file: perhaps you meant status" in said
    )
    said = refusal(capsys, *BUDGET, "--eps", "0.1", "--method", f"gradient:steps={'9' * 20}")
    assert f"gradient:steps must be a whole number of at most {2**53}" in said
    Path("own_settings.py").write_text(
        "class Own:\n"
        "    threat_model, takes_target = 'T1', False\n"
        "    def __init__(self, steps: int = 1): self.steps = steps\n"
        "    def planned(self, n, classes, cost=2): return 1\n"
        "    def __call__(self, model, images, ball, *, target, generator): ...\n"
    )
    own = "python:own_settings:Own"
    said = refusal(capsys, *BUDGET, "--eps", "0.1", "--method", f"{own}:steps=3,steps=4")
    assert f"{own} has the setting 'steps' twice: give it once" in said
    said = refusal(capsys, *BUDGET, "--eps", "0.1", "--method", f"{own}:steps={'9' * 20}")
    assert f"{own}:steps must be a whole number of at most {2**53}" in said


def test_16_the_list_of_attacks_mentions_those_of_ones_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["attacks"])
    assert "python:MODULE:CLASS" in capsys.readouterr().out
