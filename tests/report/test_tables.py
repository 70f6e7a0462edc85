"""The tables of a report hold the counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from fixed_audit import (
    CLEAN,
    NAMES,
    fixed_audit,
)
from report_pages import Tables, per_cent, span
from straylight.evaluation.metrics import Proportion, Score
from straylight.report.render import render


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
