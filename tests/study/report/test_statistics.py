"""Statistics and tables of a study, against scipy and by hand."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from straylight.evaluation.metrics import Proportion, wilson
from straylight.study.report.aggregate import read_rows
from straylight.study.report.statistics import holm, mcnemar, over_seeds
from straylight.study.report.tables import write_tables
from straylight.study.run.cell import Cell
from straylight.study.run.index import INDEX, Index
from straylight.study.run.runner import Outcome


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_exact_binomial_test(only_attack: int, only_control: int) -> None:
    n = only_attack + only_control
    expected = (
        scipy.stats.binomtest(only_attack, n, 0.5, alternative="greater").pvalue if n else 1.0
    )
    assert mcnemar(only_attack, only_control) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_the_step_down_bonferroni(values: list[float]) -> None:
    """By its definition: the largest, over all p-values up to it, of p times those not below."""
    expected = [
        min(1.0, max(p * (len(values) - sum(q < p for q in values)) for p in values if p <= own))
        for own in values
    ]
    assert holm(values) == pytest.approx(expected)


def test_an_interval_spans_seeds_and_images() -> None:
    apart = [Proportion(hits, 1000) for hits in (700, 800, 840)]
    rates = np.array([0.7, 0.8, 0.84])
    student = scipy.stats.t.interval(0.95, 2, rates.mean(), scipy.stats.sem(rates))
    found = over_seeds(apart)
    assert (found.low, found.high) == pytest.approx((student[0], min(1.0, student[1])))
    assert found.rate == pytest.approx(0.78)
    same = over_seeds([Proportion(5, 10)] * 3)
    assert (same.low, same.high, same.n_seeds) == (*map(pytest.approx, wilson(5, 10)), 3)
    alone = over_seeds([Proportion(5, 10)])
    assert (alone.low, alone.high, alone.n_seeds) == (*wilson(5, 10), 1)


def attack(name: str, target: str | None, fooled: int, moved: int | None) -> dict[str, object]:
    return {
        "name": name + (f" to {target}" if target else ""), "attack": name, "role": "attack",
        "threat_model": "T1", "method": name, "target": target, "n": 100, "n_fooled": fooled,
        "n_ceiling": 90, "n_elsewhere": 80, "n_moved": moved,
    }  # fmt: skip


def pair(name: str, kind: str, only_attack: int, only_control: int, n: int) -> dict[str, object]:
    found = {"attack": name, "control": f"{kind} 1", "kind": kind, "n_control": n}
    return found | {"only_attack": only_attack, "only_control": only_control}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """An index written by hand: two seeds of a cell, and one of another norm."""
    index = Index(tmp_path / INDEX, write=True)
    labels = {"cohort": "skin", "photographs": 1000, "zeta": 0.02}
    cells = [
        Cell(kind="audit", identity={"k": k}, labels=labels | {"norm": norm, "seed": seed})
        for k, (norm, seed) in enumerate([("l2", 0), ("l2", 1), ("linf", 0)])
    ]
    index.begin("By hand", cells)
    for cell, fooled, beaten in zip(cells, (60, 80, 5), (40, 50, 1), strict=True):
        pairs = [
            pair("gradient", "random-sphere", fooled, 0, 3),
            pair("gradient", "random-sign", beaten, 4, 7),
            pair("gradient", "gabor", 0, 50, 90),
            pair("gradient", "phase-randomised", 9, 9, 20),
            pair("gradient to MEL", "random-sign", 30, 0, 2),
        ]
        made = [attack("gradient", None, fooled, None), attack("gradient", "MEL", 70, 32)]
        found = {"n": 100, "n_correct": 77, "perturbations": made, "pairs": pairs}
        index.record([Outcome(cell.id, "done", 1.0, figures=found)])
    index.close()
    return tmp_path


def test_rows_are_means_over_seeds_tested_against_every_control(study: Path) -> None:
    title, rows = read_rows(study)
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
    assert first.p == pytest.approx(mcnemar(40, 4))
    assert weak.p == pytest.approx(mcnemar(1, 4))
    assert aimed.rate.rate == pytest.approx(32 / 80)
    assert aimed.noise.rate == pytest.approx(2 / 80)
    assert [row.holm for row in rows] == pytest.approx(holm([row.p for row in rows]))


def test_tables_in_three_formats(study: Path) -> None:
    markdown = write_tables(study, "markdown")
    assert "All: cohort skin, photographs 1,000, zeta 2 %." in markdown
    assert "| norm | attack | threat | seeds | accuracy | noise |" in markdown
    low, high = (100 * bound for bound in wilson(5, 100))
    assert f"| 5.0 ({low:.0f}-{high:.0f}) | 90.0 | 0.969 |" in markdown
    assert "Holm" in markdown
    assert "McNemar" in markdown
    latex = write_tables(study, "latex")
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    assert r"zeta 2 \%" in latex
    rows = list(csv.DictReader(io.StringIO(write_tables(study, "csv"))))
    assert [row["norm"] for row in rows] == ["l2", "l2", "linf", "linf"]
    assert float(rows[0]["rate"]) == pytest.approx(0.7)
    assert float(rows[0]["rate_low"]) < 0.7 < float(rows[0]["rate_high"])
    assert rows[1]["ceiling"] == ""
