"""The tables of a study as Markdown, LaTeX and CSV."""

import csv
import io
from pathlib import Path

import pytest

from straylight.evaluation.metrics import wilson_interval
from straylight.study.report.tables import format_tables


def test_tables_in_three_formats(study: Path) -> None:
    markdown = format_tables(study, "markdown")
    assert "All: cohort skin, photographs 1,000, zeta 2 %." in markdown
    assert "| norm | attack | threat | seeds | accuracy | noise |" in markdown
    low, high = (100 * bound for bound in wilson_interval(5, 100))
    assert f"| 5.0 ({low:.0f}-{high:.0f}) | 90.0 | 0.969 |" in markdown
    assert "Holm" in markdown
    assert "McNemar" in markdown
    latex = format_tables(study, "latex")
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    assert r"zeta 2 \%" in latex
    rows = list(csv.DictReader(io.StringIO(format_tables(study, "csv"))))
    assert [row["norm"] for row in rows] == ["l2", "l2", "linf", "linf"]
    assert float(rows[0]["rate"]) == pytest.approx(0.7)
    assert float(rows[0]["rate_low"]) < 0.7 < float(rows[0]["rate_high"])
    assert rows[1]["ceiling"] == ""
