"""The charts of a study: one chart for each cohort and budget, and curves over photographs."""

from pathlib import Path

import pytest

from straylight.study.report.aggregate import read_aggregate_rows
from straylight.study.report.charts import draw_panels, draw_photograph_curves


def test_each_budget_has_a_chart_with_its_rows(study: Path) -> None:
    _, rows = read_aggregate_rows(study)
    l2, linf = draw_panels(rows)
    assert l2.name == "skin, l2, 2 %"
    assert linf.name == "skin, linf, 2 %"
    assert [bar.label for bar in l2.bars] == ["gradient", "gradient to MEL"]
    assert (l2.bars[0].rate, l2.bars[0].noise) == ("70.00%", "7.00%")
    assert l2.bars[1].ceiling is None
    assert draw_photograph_curves(rows) == ()  # all rows have the same number of photographs


def test_curves_run_over_numbers_of_photographs(study: Path) -> None:
    _, rows = read_aggregate_rows(study)
    first = rows[0]
    first.part["photographs"] = 10
    more = [first, *(row for row in rows if row.part["norm"] == "linf" and row.target is None)]
    more[1].part["norm"] = "l2"
    (curve,) = draw_photograph_curves(more)
    assert [x for x, _ in curve.points] == [0, 100]
    assert [y for _, y in curve.points] == pytest.approx([30, 95])
    assert [y for _, y in curve.noise] == pytest.approx([93, 93])
