"""The charts of a report: positions follow from the counts."""

import pytest

from fixed_audit import (
    fixed_audit,
)
from straylight.evaluation.metrics import Proportion
from straylight.report.charts import LogScale, draw_attack_curves, draw_audit_chart


def test_curves_place_their_points_on_a_log_scale() -> None:
    (curve,) = draw_attack_curves(fixed_audit())
    assert curve.name == "gradient"
    assert [x for x, _ in curve.points] == pytest.approx([0, 100 / 3, 200 / 3, 100], abs=0.01)
    assert [y for _, y in curve.points] == [90, 75, 60, pytest.approx(53.33)]
    plain = curve.text.replace("\N{NO-BREAK SPACE}", " ")
    assert plain == "10.0 % at 1,200, 25.0 % at 2,400, 40.0 % at 4,800, 46.7 % at 9,600"


def test_bars_lie_where_their_rates_are() -> None:
    audit = fixed_audit()
    chart = draw_audit_chart(audit)
    first, targeted, *_ = chart.bars
    low, high = Proportion(28, 60).ci95
    assert (first.rate, first.low, first.width) == tuple(
        f"{100 * value:.2f}%" for value in (28 / 60, low, high - low)
    )
    assert first.ceiling == f"{100 * audit.perturbations[0].score.ceiling.rate:.2f}%"
    assert [bar.top for bar in chart.bars] == [48 * n for n in range(len(chart.bars))]
    assert chart.height == 48 * len(chart.bars)
    assert {bar.ceiling for bar in chart.bars if bar.role == "control"} == {None}
    assert targeted.label == "gradient to benign"


def test_a_scale_of_one_number_does_not_divide_by_zero() -> None:
    assert LogScale([7]).point(7, 100.0) == (0.0, 0.0)
