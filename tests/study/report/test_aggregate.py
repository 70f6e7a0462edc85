"""Rows of a study: means over seeds, tested against every control."""

from pathlib import Path

import pytest

from straylight.study.report.aggregate import read_aggregate_rows
from straylight.study.report.statistics import holm_correction, mcnemar_p_value


def test_rows_are_means_over_seeds_tested_against_every_control(study: Path) -> None:
    title, rows = read_aggregate_rows(study)
    assert title == "By hand"
    assert [(row.part["norm"], row.attack, row.target) for row in rows] == [
        ("l2", "gradient", None), ("l2", "gradient", "MEL"),
        ("linf", "gradient", None), ("linf", "gradient", "MEL"),
    ]  # fmt: skip
    first, aimed, weak, _ = rows
    assert (first.rate.rate, first.rate.n_seeds, first.n_controls) == (pytest.approx(0.7), 2, 4)
    assert first.noise.rate == pytest.approx(0.07)
    assert first.copy is not None
    assert first.copy.rate == pytest.approx(0.2)
    assert first.p == pytest.approx(mcnemar_p_value(40, 4))
    assert weak.p == pytest.approx(mcnemar_p_value(1, 4))
    assert aimed.rate.rate == pytest.approx(32 / 80)
    assert aimed.noise.rate == pytest.approx(2 / 80)
    assert [row.holm for row in rows] == pytest.approx(holm_correction([row.p for row in rows]))
