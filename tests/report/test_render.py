"""The report shows what the audit counted, escapes what others wrote, and needs nothing else."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixed_audit import (
    CLEAN,
    NAMES,
    board,
    deltas,
    fixed_audit,
    write_arrays,
)
from paths import TESTS
from straylight.audit.storage import save_audit
from straylight.core.errors import InputError
from straylight.evaluation.metrics import Proportion, Score, percent
from straylight.report.figures import draw_curves
from straylight.report.render import render, write_report
from straylight.report.verdict import judge, reach_verdict

GOLD = TESTS / "gold"
PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_arrays(tmp_path / "audit")


class Tables(HTMLParser):
    """Collects the cells of each table row, all text, and the names of the tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.text: list[str] = []
        self.in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        plain = data.replace("\N{NO-BREAK SPACE}", " ")
        self.text.append(plain)
        if self.in_cell and plain.strip():
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {plain.strip()}".strip()

    def starting_with(self, name: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == name)


def per_cent(found: Proportion) -> str:
    return f"{percent(found.rate)} %"


def span(found: Proportion) -> str:
    low, high = found.ci95
    return f"{percent(low)}\N{EN DASH}{percent(high)} %"


def pixels(html: str, alt: str) -> np.ndarray:
    """Decode the first picture of that description."""
    tag = next(tag for tag in re.findall(r"<img [^>]+>", html) if f'alt="{alt}' in tag)
    found = PNG.search(tag)
    assert found
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))))


def test_gold(folder: Path) -> None:
    actual = PNG.sub("data:image/png;base64,...", render(fixed_audit(), folder))
    gold = GOLD / "report.html"
    if gold.is_file() and actual == gold.read_text(encoding="utf-8"):
        return
    (GOLD / "actual").mkdir(exist_ok=True)
    (GOLD / "actual" / "report.html").write_text(actual, encoding="utf-8")
    pytest.fail(
        "the report changed: look at tests/gold/actual/report.html, and if it is right, "
        "cp tests/gold/actual/report.html tests/gold/report.html"
    )


def test_curves_place_their_points_on_a_log_scale() -> None:
    (curve,) = draw_curves(fixed_audit())
    assert curve.name == "gradient"
    assert [x for x, _ in curve.points] == pytest.approx([0, 100 / 3, 200 / 3, 100], abs=0.01)
    assert [y for _, y in curve.points] == [90, 75, 60, pytest.approx(53.33)]
    plain = curve.text.replace("\N{NO-BREAK SPACE}", " ")
    assert plain == "10.0 % at 1,200, 25.0 % at 2,400, 40.0 % at 4,800, 46.7 % at 9,600"


def test_a_procedural_pattern_is_told_but_decides_nothing() -> None:
    audit = fixed_audit()
    verdict = reach_verdict(audit)
    assert verdict.noise.name == "random-sphere 2"
    assert verdict.pattern is not None
    assert verdict.pattern.name == "perlin 1"
    assert verdict.n_noises == 2


def test_headline_and_verdict_come_from_the_counts(folder: Path) -> None:
    page = " ".join(" ".join(Tables(render(fixed_audit(), folder)).text).split())
    assert (
        "One perturbation made from 1,000 crops of 11 photographs changes 70.0 % of the predictions "
        f"(95 % interval {span(Proportion(42, 60))}); random noise of the same budget changes "
        "at most 1.7 %." in page
    )
    assert "gradient to benign, 70.0 % (42 of 60;" in page
    assert "the maximum over 2 attacks scored" in page  # the reference is not an attack
    assert "the maximum over 2 random controls scored" in page  # the copy is not random noise
    assert "Verdict broken" in page


def test_an_attack_that_saw_medical_images_is_not_in_the_headline(folder: Path) -> None:
    audit = fixed_audit()
    first, second, *rest = audit.perturbations
    oracle = replace(audit, perturbations=(first, replace(second, threat_model="oracle"), *rest))
    assert "changes 46.7\N{NO-BREAK SPACE}% of the predictions" in render(oracle, folder)


@pytest.mark.parametrize("role", ["attack", "control"])
def test_nothing_to_compare_is_an_error(folder: Path, role: str) -> None:
    audit = fixed_audit()
    kept = tuple(item for item in audit.perturbations if item.role != role)
    with pytest.raises(InputError, match="the audit has no"):
        render(replace(audit, perturbations=kept), folder)


def test_the_table_holds_the_counts(folder: Path) -> None:
    tables = Tables(render(fixed_audit(), folder))
    for item in fixed_audit().perturbations[:3]:
        score, row = item.score, tables.starting_with(item.name)
        assert row[1] == item.threat_model
        assert row[3] == f"{per_cent(score.fooled)} {span(score.fooled)}"
        assert row[4:7] == [
            per_cent(found) for found in (score.ceiling, score.fooled_raw, score.correct)
        ]
        assert row[7] == f"{NAMES[score.dominant_class]} {per_cent(score.dominant)}"
        assert row[12:] == ["9,600", "20,200", "61.2"]
    assert tables.starting_with("gradient")[3:7] == [
        f"46.7 % {span(Proportion(28, 60))}",
        "70.0 %",
        "48.3 %",
        "53.3 %",
    ]
    reached = tables.starting_with("gradient to benign")[8:10]
    assert reached == ["100 % 94.0\N{EN DASH}100 %", "100 %"]
    assert tables.starting_with("gradient")[8:10] == ["\N{EN DASH}"] * 2
    assert tables.starting_with("gradient")[11] == "3.8"  # 0.015 * 255


def test_each_control_is_shown_and_the_largest_of_its_kind_stands_for_it(folder: Path) -> None:
    tables = Tables(render(fixed_audit(), folder))
    largest = tables.starting_with("random-sphere, largest of 2")
    assert largest[3] == f"1.7 % {span(Proportion(1, 60))}"
    assert tables.starting_with("random-sphere 1")[3] == f"0 % {span(Proportion(0, 60))}"
    assert tables.starting_with("random-sphere 2")[3] == largest[3]


def test_confusions_and_recalls_hold_the_counts(folder: Path) -> None:
    rows = Tables(render(fixed_audit(), folder)).rows
    lines = [row for row in rows if row and row[0] in NAMES]
    for item in fixed_audit().perturbations[:3]:
        block, lines = lines[:9], lines[9:]
        assert [row[1:] for row in block[:3]] == [[str(n) for n in row] for row in CLEAN]
        assert [row[1:] for row in block[3:6]] == [
            [str(n) for n in row] for row in item.score.confusion
        ]
        recalls = zip((18, 17, 20), item.score.recalls, strict=True)
        assert [row[1:] for row in block[6:]] == [
            ["20", per_cent(Proportion(old, 20)), per_cent(new), span(new)] for old, new in recalls
        ]
    assert not lines


@pytest.mark.parametrize(
    ("hits", "shown"), [(0, "0 %"), (1, "<0.1 %"), (1999, ">99.9 %"), (2000, "100 %"), (4, "0.2 %")]
)
def test_no_rate_is_rounded_to_none_or_all(folder: Path, hits: int, shown: str) -> None:
    score = Score(
        ((2000, 0, 0), (0, 0, 0), (0, 0, 0)), ((2000 - hits, hits, 0),) + ((0,) * 3,) * 2, 0
    )
    audit = fixed_audit()
    first, *rest = audit.perturbations
    audit = replace(audit, perturbations=(replace(first, score=score), *rest))
    tables = Tables(render(audit, folder))
    assert tables.starting_with("gradient")[3] == f"{shown} {span(Proportion(hits, 2000))}"


def test_a_class_without_images_has_no_recall(folder: Path) -> None:
    clean = ((18, 2, 0), (2, 18, 0), (0, 0, 0))
    score = Score(clean, ((20, 0, 0), (0, 20, 0), (0, 0, 0)), 0)
    audit = fixed_audit()
    audit = replace(
        audit,
        cohort=replace(audit.cohort, clean_confusion=clean),
        perturbations=tuple(replace(item, score=score) for item in audit.perturbations),
    )
    html = render(audit, folder)
    assert [NAMES[2], "0"] + ["\N{EN DASH}"] * 3 in Tables(html).rows
    assert "not-shown" in html


def test_hostile_text_stays_text(folder: Path) -> None:
    html = render(fixed_audit(), folder)
    assert not Tables(html).tags & {"script", "b", "i", "iframe", "object"}
    assert "onerror=alert" in html  # as text: every < of it is escaped
    assert not re.search(r"<img(?! src=\"data:)", html)
    shown = "".join(Tables(html).text)
    for text in (NAMES[0], NAMES[2], fixed_audit().model.spec, "<img src=x onerror=alert(2)>"):
        assert text in shown


def test_the_page_needs_nothing_from_outside(folder: Path) -> None:
    html = render(fixed_audit(), folder)
    sources = re.findall(r"(?:src|srcset|poster|action)=\"([^\"]{0,11})", html)
    assert set(sources) == {"data:image/"}
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_pictures_hold_the_pixels(folder: Path) -> None:
    html = render(fixed_audit(), folder)
    sign = np.kron(board(1)[0].transpose(1, 2, 0), np.ones((16, 16, 1)))
    assert "amplified 20 times" in html
    found = pixels(html, "Perturbation gradient, amplified")
    np.testing.assert_array_equal(found, np.where(sign > 0, 204, 51))
    np.testing.assert_array_equal(pixels(html, "Photograph 3"), np.full((128, 128, 3), 30))
    np.testing.assert_array_equal(pixels(html, "Medical image 1, class"), np.full_like(found, 100))
    attacked = pixels(html, "Medical image 1 under attack")
    np.testing.assert_array_equal(attacked, np.where(sign > 0, 104, 96))
    clipped = pixels(html, "Medical image 2 under attack")
    np.testing.assert_array_equal(clipped, np.where(sign > 0, 255, 250))


def test_the_example_that_is_fooled_comes_first(folder: Path) -> None:
    html = render(fixed_audit(), folder)
    assert html.index("Medical image 2, class") < html.index("Medical image 1, class")


def test_grey_images_and_no_examples(folder: Path) -> None:
    audit = fixed_audit()
    for name, amplitude in deltas().items():
        np.save(folder / "perturbations" / f"{name}.npy", board(amplitude)[:, :1])
    np.save(folder / "photographs.npy", np.full((1, 1, 8, 8), 30, np.uint8))
    audit = replace(
        audit,
        model=replace(audit.model, channels=1),
        perturbations=tuple(replace(p, l2=p.l2 / 3**0.5) for p in audit.perturbations),
        natural=replace(audit.natural, adapted=None),
        cohort=replace(audit.cohort, examples=None, note="", skipped=()),
    )
    html = render(audit, folder)
    assert pixels(html, "Photograph 1").shape == (128, 128)
    assert "--show-images" in html
    assert "Medical image 1" not in html
    assert "Adapted photograph 1" not in html
    assert "Note on the images" not in html
    assert "No file was left out." in html


@pytest.mark.parametrize(
    "name",
    [
        "photographs.npy",
        "adapted.npy",
        "examples.npy",
        "perturbations/gradient.npy",
        "perturbations/sphere-2.npy",
    ],
)
def test_a_missing_or_broken_array_is_an_error(folder: Path, name: str) -> None:
    path = folder / name
    path.unlink()
    with pytest.raises(InputError, match=path.name):
        render(fixed_audit(), folder)
    path.write_bytes(b"not an array")
    with pytest.raises(InputError, match=path.name):
        render(fixed_audit(), folder)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("photographs.npy", np.zeros((2, 3, 8, 8), np.float32)),
        ("examples.npy", np.zeros((2, 1, 8, 8), np.uint8)),
        ("examples.npy", np.zeros((5, 3, 8, 8), np.uint8)),
        ("perturbations/gradient.npy", np.zeros((1, 3, 8, 9), np.float32)),
        ("perturbations/gradient.npy", np.full((1, 3, 8, 8), np.nan, np.float32)),
    ],
)
def test_an_array_that_does_not_fit_is_an_error(folder: Path, name: str, array: np.ndarray) -> None:
    np.save(folder / name, array)
    with pytest.raises(InputError, match=Path(name).name):
        render(fixed_audit(), folder)


def test_write_report_reads_the_folder(folder: Path) -> None:
    with pytest.raises(InputError, match=r"has no audit\.json"):
        write_report(folder)
    save_audit(fixed_audit(), folder)
    path = write_report(folder)
    assert path == folder / "report.html"
    assert path.read_text(encoding="utf-8") == render(fixed_audit(), folder)


def test_a_classifier_no_better_than_chance_is_said_to_be_so(folder: Path) -> None:
    """As audits said it before there was a preflight."""
    audit = replace(fixed_audit(), preflight=None)
    assert "Weak classifier" not in render(audit, folder)
    weak = replace(audit, cohort=replace(audit.cohort, clean_confusion=((7, 7, 6),) * 3))
    assert "Weak classifier" in render(weak, folder)


def test_what_preflight_found_is_near_the_top(folder: Path) -> None:
    audit = fixed_audit()
    html = render(audit, folder)
    assert html.index("alert(5)") < html.index("What was audited") < html.index("Threat model<")
    text = " ".join(" ".join(Tables(html).text).split())
    assert "Found before any attack: The cohort has no image of <script>" in text
    assert "Preflight 1 warning (above). <b>net</b>: its outputs are probabilities." in text
    sound = render(replace(audit, preflight=()), folder)
    assert "<dt>Preflight</dt><dd>no warning.</dd>" in sound
    assert "Found before" not in sound
    assert "Preflight" not in render(replace(audit, preflight=None), folder)


@pytest.mark.parametrize(
    ("attack", "noise", "word"),
    [
        (Proportion(0, 500), Proportion(0, 500), "not shown"),
        (Proportion(30, 500), Proportion(20, 500), "not shown"),
        (Proportion(500, 500), Proportion(480, 500), "weakened"),
        (Proportion(40, 500), Proportion(0, 500), "weakened"),  # 8 %: below the floor
        (Proportion(300, 500), Proportion(101, 500), "weakened"),  # less than three times
        (Proportion(300, 500), Proportion(100, 500), "broken"),
        (Proportion(500, 500), Proportion(0, 500), "broken"),
    ],
)
def test_judge(attack: Proportion, noise: Proportion, word: str) -> None:
    assert judge(attack, noise) == word
