"""What users met: attacks of their own, words of the report, the door of Python, budgets."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import straylight
from fixed_audit import fixed_audit, write_arrays
from oracles import Linear
from paths import ROOT
from straylight import Audit, Classifier, Cohort, ImageSet, InputError, Plan, Snapshot
from straylight.attacks.ball import Ball
from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.audit.plan import jobs
from straylight.audit.run import check_types
from straylight.cli.main import main
from straylight.cli.output import summary_table
from straylight.core.checks import folder_of
from straylight.core.progress import Silent
from straylight.data.photographs.load import load_natural
from straylight.report.render import render
from straylight.report.verdict import reach_verdict
from straylight.study.run.cell import Cell
from straylight.study.run.console import View
from straylight.study.run.index import Index

SHAPE = (1, 8, 8)
NAMES = ("dark", "light")
Parts = tuple[Classifier, ImageSet, Cohort]


def brightness(sign: float = 1.0) -> Classifier:
    """Calls an image light where its mean is above one half (or below it, with the other sign)."""
    network = Linear(torch.full((3, 8, 8), sign * 4 / 192), -sign * 2.0)
    return Classifier(network, shape=SHAPE, class_names=NAMES, mean=(0.0,) * 3, std=(1.0,) * 3)


def cohort_of(levels: tuple[int, int] = (110, 150)) -> Cohort:
    """Twenty images of each of two shades, with one darker row."""
    shades = torch.tensor(levels).repeat_interleave(20) + torch.arange(40) % 5
    pixels = shades.to(torch.uint8)[:, None, None, None].expand(40, *SHAPE).clone()
    pixels[:, :, 0] -= 1
    return Cohort(ImageSet(pixels, "shades"), torch.arange(2).repeat_interleave(20), NAMES)


@pytest.fixture(scope="module")
def parts() -> Parts:
    return brightness(), load_natural("builtin:photos", SHAPE, n=40), cohort_of()


def quick(**settings: Any) -> Plan:  # noqa: ANN401
    """A plan that takes no time."""
    usual: dict[str, Any] = {"zeta": 0.2, "methods": Gradient(steps=2, batch_size=4)}
    return Plan(**usual | {"control_seeds": 1} | settings)


def unchecked(**settings: object) -> Any:  # noqa: ANN401
    """Make a plan as it is made where no test looks at types before it does."""
    plan = object.__new__(Plan)
    fields = vars(Plan(zeta=0.1)) | {"zeta": None}
    vars(plan).update(fields | settings)
    plan.__post_init__()
    return plan


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("straylight: ")
    assert said.count("\n") == 1
    assert len(said) <= 400
    return said


AUDIT = ("audit", "--model", "no-such", "--natural", "a", "--cohort", "b", "--out", "c")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--norm", "linf", "--eps", "8"], "8 grey levels is --eps-levels 8, in Python eps=8/255"),
        (["--norm", "linf", "--eps", "1.01"], "eps must be at most 1 for linf, not 1.01"),
        (["--norm", "linf", "--eps", "999"], "give at most 1."),
        (["--norm", "linf", "--eps-levels", "256"], "--eps-levels must be at most 255, not 256"),
        (["--zeta", "2"], "so 0.02 means 2 %"),
        (["--zeta", "200%"], "zeta must lie in (0, 1], not 2.0"),
        (["--zeta", "two"], "--zeta must be a number, such as 0.02 or 2%, not 'two'"),
        (["--zeta", "0,02"], "not '0,02'"),
        (["--zeta", "-0.1"], "zeta must lie in (0, 1], not -0.1"),
        (["--eps", "nan"], "eps must be a positive finite number, not nan"),
        (["--eps", "0"], "eps must be a positive finite number, not 0.0"),
        (["--eps", "1/0"], "--eps must be a number, such as 8/255, not '1/0'"),
        (["--eps", "2%"], "--eps must be a number, such as 8/255, not '2%'"),
        (["--zeta", "0.1", "--eps", "1"], "and not --zeta and --eps"),
        ([], "no budget is given: give either zeta or eps"),
        (["--zeta", "2%", "--method", "magic"], "there is no attack 'magic'"),
        (["--zeta", "2%"], "no-such is no model"),
        (["--norm", "linf", "--eps", "8/255"], "no-such is no model"),
    ],
)
def test_case_15_budgets_are_told_before_the_model_is_loaded(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal(capsys, *AUDIT, *words)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "linf", "eps": 8}, r"eps=8/255"),
        ({"zeta": "2%"}, r"zeta must be a number, such as 0.02, not '2%'"),
        ({"zeta": True}, r"zeta must be a number, such as 0.02, not True \(bool\)"),
        ({"zeta": 10**400}, "zeta must be a number"),
        ({"eps": [1]}, r"eps must be a number, such as 8/255, not \[1\] \(list\)"),
        ({"zeta": 0.1, "norm": "L2"}, "norm must be one of l2, linf, not 'L2'"),
        ({"zeta": 0.1, "methods": Gradient}, r"Gradient is a class: give .* such as Gradient\(\)"),
        ({"zeta": 0.1, "methods": (7,)}, r"methods must be attacks, .* not 7 \(int\)"),
        ({"zeta": 0.1, "methods": None}, "methods must be attacks, .* not None"),
        ({"zeta": 0.1, "methods": object()}, "object is not an attack, since it lacks __call__"),
        ({"zeta": 0.1, "targeted_methods": ("x",)}, "there is no attack 'x'"),
        ({"zeta": 0.1, "targets": 3}, r"targets must be words, such as .* not 3 \(int\)"),
        ({"zeta": 0.1, "targets": ("A", 1)}, "targets must be words"),
        ({"zeta": 0.1, "adaptation": {}}, "adaptation must be an Adaptation"),
        ({"zeta": 0.1, "seed": 0.5}, r"seed must be a whole number, not 0.5 \(float\)"),
        ({"zeta": 0.1, "seed": 2**70}, "seed must be smaller"),
        ({"zeta": 0.1, "curve": True}, "curve must be a whole number"),
        ({"zeta": 0.1, "control_seeds": 0}, "control_seeds must be at least 1, not 0"),
    ],
)
def test_case_15_and_first_use_8_wrong_settings_are_named(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        unchecked(**settings)


def test_case_15_numbers_of_any_type_are_taken() -> None:
    assert Plan(zeta=1).zeta == 1.0
    plan = unchecked(zeta=np.float32(0.5), seed=np.int64(3))
    assert (type(plan.zeta), plan.zeta, type(plan.seed), plan.seed) == (float, 0.5, int, 3)
    with pytest.raises(InputError, match=r"at most 8 for l2 .* not 9"):
        Plan(eps=9).ball(cohort_of().images)  # the root of 64 pixels
    assert Plan(eps=8).ball(cohort_of().images) == Ball("l2", 8.0)
    with pytest.raises(InputError, match="at most 1 for linf"):
        Ball("linf", 2.0)


class Counting(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def example() -> str:
    """The attack that docs/attacks.md shows."""
    text = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return code


def test_first_use_1_the_attack_of_the_documents_runs_from_both_doors(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("shown_attacks.py").write_text(example())
    import shown_attacks  # type: ignore[import-not-found]

    own = shown_attacks.Signs(steps=3, batch_size=4)
    plan = quick(methods=(own, Method(own, "photographs"), "gradient:steps=2"), targets="light")
    audit = straylight.run(plan, *parts, "python", tracker=Silent())
    same = "python:shown_attacks:Signs:steps=3,batch_size=4"
    other = quick(methods=(same, "gradient:steps=2"))
    typed = straylight.run(other, *parts, "typed", tracker=Silent())
    written = json.loads(Path("python/audit.json").read_text())["perturbations"]
    assert [item["name"] for item in written[:6]] == [
        "Signs:steps=3,batch_size=4",
        "Signs:steps=3,batch_size=4 #2",
        "gradient",
        "Signs:steps=3,batch_size=4 to light",
        "Signs:steps=3,batch_size=4 to light #2",
        "gradient to light",
    ]
    assert written[0]["method"] == {
        "name": "Signs",
        "settings": {"steps": 3, "batch_size": 4},
        "class": "shown_attacks:Signs",
        "source_sha256": hashlib.sha256(Path("shown_attacks.py").read_bytes()).hexdigest(),
    }
    assert (written[0]["images_seen"], written[0]["threat_model"]) == (12, "T1")
    files = [np.load(f"{a}/{p.file}") for a, p in (("python", audit.perturbations[0]),)]
    np.testing.assert_array_equal(files[0], np.load(f"typed/{typed.perturbations[0].file}"))
    page = render(audit, Path("python"))
    assert "shown_attacks:Signs" in page
    # On a linear classifier the sign of the gradient is the best there is in L-infinity.
    best = straylight.run(
        quick(norm="linf", zeta=None, eps=0.1, methods=own), *parts, "best", tracker=Silent()
    )
    delta = np.load(f"best/{best.perturbations[0].file}")
    assert np.abs(delta).max() == pytest.approx(0.03 if delta.max() < 0.05 else 0.1, abs=1e-6)


class Halfway(Silent):
    """Stops as a key press would when the controls begin."""

    def start(self, title: str, total: int) -> None:
        if title == "controls":
            raise KeyboardInterrupt


def test_first_use_1_an_attack_that_was_edited_does_not_go_on(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("edited_attacks.py").write_text(example())
    plan = quick(methods="python:edited_attacks:Signs:steps=2")
    with pytest.raises(KeyboardInterrupt):
        straylight.run(plan, *parts, "out", tracker=Halfway())
    Path("edited_attacks.py").write_text(example() + "# another\n")
    with pytest.raises(InputError, match="other settings"):
        straylight.run(plan, *parts, "out", tracker=Silent())
    Path("edited_attacks.py").write_text(example())
    assert straylight.run(plan, *parts, "out", tracker=Silent()).perturbations[0].name == "Signs"


class Picky:
    """Looks at the first and the fourth photograph, twice at the first. A class without settings."""

    threat_model = "T1"
    takes_target = False

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return 3

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        photographs.images(slice(0, 1))
        photographs.subset(torch.tensor([3, 5])).images(torch.tensor([0]))
        photographs.images(torch.tensor([0]))
        yield Snapshot(ball.scale(torch.ones(1, *photographs.shape)), 3)


@pytest.mark.parametrize(
    ("spec", "said", "noun"),
    [
        ("builtin:photos", "made from 2 of 40 crops of 11 photographs changes", "photographs"),
        ("builtin:noise", "made from 2 of 40 drawings changes", "drawings"),
    ],
)
def test_first_use_3_the_report_says_what_was_learned_on(
    parts: Parts, tmp_path: Path, spec: str, said: str, noun: str
) -> None:
    photographs = load_natural(spec, SHAPE, n=40)
    audit = straylight.run(
        quick(methods=Picky()), parts[0], photographs, parts[2], tmp_path, tracker=Silent()
    )
    natural = json.loads((tmp_path / "audit.json").read_text())["natural"]
    assert (natural["n"], natural["n_distinct"]) == (40, 11 if noun == "photographs" else 40)
    assert [item.n_distinct_seen for item in audit.perturbations[:2]] == [2, None]
    page = render(audit, tmp_path)
    assert said in page
    assert f"Some of the {noun} that the attacks" in page
    assert "looked at 3 times in all" in page
    assert "where 1,000 are usual" in page  # 40 are far fewer
    again = straylight.load_audit(tmp_path)
    assert json.dumps(again.to_json()) == json.dumps(audit.to_json())


def test_first_use_3_copies_of_one_photograph_are_one(parts: Parts, tmp_path: Path) -> None:
    copies = ImageSet(torch.full((30, *SHAPE), 9, dtype=torch.uint8), "copies")
    audit = straylight.run(quick(), parts[0], copies, parts[2], tmp_path, tracker=Silent())
    assert "30 photographs (1 different)" in render(audit, tmp_path)


def test_first_use_5_no_verdict_where_preflight_has_none(
    parts: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, photographs, cohort = parts
    for sign, levels, reason in (
        (-1.0, (110, 150), "With the classes in the order light, dark"),
        (1.0, (150, 190), "All 40 images are predicted as light"),
        (1.0, (150, 150), "All 40 images are predicted as light"),
    ):
        out = tmp_path / f"{sign} {levels}"
        subject = cohort if levels == (110, 150) else cohort_of(levels)
        audit = straylight.run(
            quick(), brightness(sign), photographs, subject, out, tracker=Silent()
        )
        verdict = reach_verdict(audit)
        assert verdict.word == "no verdict"
        assert verdict.reason.startswith(reason)
        page = render(audit, out)
        assert '<p class="verdict no-verdict">' in page
        assert reason in page
        main(["report", str(out)])
        assert f"Verdict: no verdict. {reason}" in capsys.readouterr().out
    sound = straylight.run(quick(), *parts, tmp_path / "sound", tracker=Silent())
    assert reach_verdict(sound).word != "no verdict"
    page = render(sound, tmp_path / "sound")
    assert "gradient ran with steps 2 and batch size 4, where 300 and 32 are usual" in page


def test_first_use_5_of_an_older_audit_the_counts_are_looked_at() -> None:
    audit = fixed_audit()
    old = Audit(**vars(audit) | {"preflight": None})
    assert reach_verdict(old).word == "broken"
    weak = type(audit.cohort)(**vars(audit.cohort) | {"clean_confusion": ((7, 7, 6),) * 3})
    verdict = reach_verdict(Audit(**vars(old) | {"cohort": weak}))
    assert verdict.word == "no verdict"
    assert "The balanced accuracy is 33.3 %, where guessing has 33.3 %" in verdict.reason


def test_first_use_6_the_snippet_of_the_documents_reads_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("runs/small").mkdir(parents=True)
    index = Index(Path("runs/small/index.sqlite"), write=True)
    cell = Cell(kind="audit", identity={"a": 1}, labels={"cohort": "skin", "seed": 7})
    index.begin("One", [cell])
    index.close()
    with sqlite3.connect("runs/small/index.sqlite") as base:
        base.execute("INSERT INTO perturbations (cell, name, n) VALUES (?, 'auto', 3)", (cell.id,))
    base.close()
    *lines, last = code.strip().split("\npandas.read_sql")
    scope: dict[str, Any] = {}
    exec(f"{lines[0]}\nframe = pandas.read_sql{last}\nindex.close()", scope)
    frame = scope["frame"]
    assert frame.columns.is_unique
    assert frame[["cohort", "seed", "name", "n"]].values.tolist() == [["skin", 7, "auto", 3]]


def test_first_use_8_one_or_several_and_paths_as_text(parts: Parts, tmp_path: Path) -> None:
    plan = Plan(zeta=0.1, methods="gradient@adapted:steps=9", targets="light")
    assert plan.untargeted == (Method(Gradient(steps=9), "adapted"),)
    assert [job.name for job in jobs(plan, NAMES)] == [
        "gradient@adapted",
        "gradient@adapted to light",
    ]
    assert Plan(zeta=0.1, methods=[Gradient(), "sga"]).settings()["methods"][1]["name"] == "sga"
    audit = straylight.run(quick(), *parts, str(tmp_path / "text"), tracker=Silent())
    assert (tmp_path / "text" / audit.perturbations[0].file).exists()
    for wrong, name in ((3, "plan"), ("x", "plan")):
        with pytest.raises(InputError, match=f"^{name} must be as made by Plan"):
            check_types(wrong, *parts)
    for place, name in enumerate(("classifier", "photographs", "cohort"), start=0):
        given: list[object] = list(parts)
        given[place] = "skin"
        with pytest.raises(InputError, match=f"^{name} must be as made by .*, not 'skin'"):
            check_types(quick(), *given)
    with pytest.raises(InputError, match=r"^training must be as made by"):
        check_types(quick(), *parts, training=parts[2])
    for out in (3, None, ""):
        with pytest.raises(InputError, match=r"^out must be a folder"):
            folder_of(out)
    for out in ("a\0b", "x" * 5_000):
        with pytest.raises(InputError, match="cannot be a folder"):
            folder_of(out)
    for name, given in (("note", 3), ("command", None), ("tracker", 3)):
        with pytest.raises(InputError, match=f"^{name} must be "):
            check_types(quick(), *parts, **{name: given})


def test_first_use_10_a_study_names_its_cells_once() -> None:
    stream = StringIO()
    cells = [
        Cell(
            kind="audit",
            identity={"n": n},
            labels={"cohort": "skin", "model": f"m{n // 2}", "seed": n},
        )
        for n in range(4)
    ]
    view = View(Console(file=stream, width=200), cells, 1)
    for cell in cells:
        view.running = {cell.id: cell}
        view.say("preflight, warning: weak.")
    assert stream.getvalue().splitlines() == [
        "skin m0: preflight, warning: weak.",
        "skin m1: preflight, warning: weak.",
    ]


def test_first_use_11_progress_is_shown_unless_it_is_not_wanted(
    parts: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straylight.run(quick(), *parts, tmp_path / "loud")
    printed = capsys.readouterr()
    assert "gradient: 100 %" in printed.err
    assert printed.out == ""
    straylight.run(quick(), *parts, tmp_path / "quiet", tracker=Silent())
    assert capsys.readouterr().err == ""
    told = Counting()
    inverted = (brightness(-1.0), *parts[1:])
    straylight.run(quick(), *inverted, tmp_path / "told", tracker=told)
    assert any(line.startswith("preflight, warning: With the classes") for line in told.lines)


def test_first_use_11_the_command_line_says_what_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for option in ("--version", "-V"):
        main([option])
        assert capsys.readouterr().out == f"straylight {straylight.__version__}\n"
    for words, message in {
        ("audit", "--modle", "x"): "audit has no option --modle: perhaps you meant --model.",
        ("audit", "--xyzzy"): "audit has no option --xyzzy. See straylight audit --help.",
        ("audti",): "there is no command 'audti': perhaps you meant audit.",
        ("audit",): "audit needs --model, --cohort, --natural, --out.",
        ("study",): "study needs FILE.",
        ("demo", "--seed", "1.5"): "--seed must be a whole number, not '1.5'.",
        ("demo", "--seed"): "Missing value for argument '--seed'.",
        ("demo", "--force=3"): "3 cannot be placed: give each value after its option.",
        ("report", "a", "b"): "b cannot be placed",
        ("study", "--dry_rum", "x"): "perhaps you meant --dry-run",
        (*AUDIT, "--norm", "l3"): "invalid choice 'l3' for argument '--norm'.",
        ("demo", "--\x1b[31m"): "demo",
    }.items():
        assert message in refusal(capsys, *words)


def test_first_use_12_the_header_says_what_a_level_means() -> None:
    audit = fixed_audit()
    assert "4.6 grey levels RMS" in str(summary_table(audit).title)
    other = type(audit.budget)("linf", None, 4 / 255, 4.0)
    title = str(summary_table(Audit(**vars(audit) | {"budget": other})).title)
    assert "4.0 grey levels at most" in title
    assert "RMS" not in title


def test_first_use_13_a_table_of_pandas_holds_what_is_written(parts: Parts, tmp_path: Path) -> None:
    plan = quick(targets="light")
    frame = straylight.run(plan, *parts, tmp_path, tracker=Silent()).to_pandas()
    written = json.loads((tmp_path / "audit.json").read_text())["perturbations"]
    assert len(frame) == len(written)
    assert frame.columns.is_unique
    for (_, row), item in zip(frame.iterrows(), written, strict=True):
        assert row["method"] == item["method"]["name"]
        for key in ("name", "role", "n", "n_fooled", "fooling_rate", "accuracy", "l2", "file"):
            assert row[key] == item[key]
        assert [row["fooling_rate_ci95_low"], row["fooling_rate_ci95_high"]] == item[
            "fooling_rate_ci95"
        ]
        if item["targeted_success_rate"] is not None:
            assert row["targeted_success_rate"] == item["targeted_success_rate"]


def test_unclear_25_text_that_turns_is_kept_in_its_place(tmp_path: Path) -> None:
    audit = fixed_audit()
    names = ("\u202eevil", "\u05d0\u05d1", "plain")
    model = type(audit.model)(**vars(audit.model) | {"class_names": names, "spec": "\u2067x"})
    cohort = type(audit.cohort)(
        **vars(audit.cohort) | {"class_names": names, "note": "\u202enote", "examples": None}
    )
    kept = tuple(item for item in audit.perturbations if item.target is None)
    page = render(
        Audit(**vars(audit) | {"model": model, "cohort": cohort, "perturbations": kept}),
        write_arrays(tmp_path / "a"),
    )
    assert not re.search("[\u202a-\u202e\u2066\u2067]", page)
    assert "<bdi>\\u202eevil</bdi>" in page
    assert "<bdi>\u05d0\u05d1</bdi>" in page
    assert "\u2068\u05d0\u05d1\u2069 20" in page


def test_hang_16_a_page_is_bounded(tmp_path: Path) -> None:
    audit = fixed_audit()
    skipped = tuple({"file": f"{n}.png", "reason": "x" * 99} for n in range(100_000))
    cohort = type(audit.cohort)(
        **vars(audit.cohort) | {"skipped": skipped, "note": "n" * 10_000_000}
    )
    page = render(Audit(**vars(audit) | {"cohort": cohort}), write_arrays(tmp_path / "a"))
    assert len(page) < 400_000
    assert "100,000 files of the medical images left out" in page
    assert "99,800 more" in page
    assert "(9,934,464 characters more)" in page
