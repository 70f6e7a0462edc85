"""The report of a study in a real browser: it shows, it fits, it asks for nothing and runs nothing."""

from pathlib import Path

import pytest

from chromium import HOOK, Seen, browser, page, playwright, pytestmark
from straylight.study.report.page import write_study_report
from straylight.study.run.cell import Cell
from straylight.study.run.index import INDEX, StudyIndex
from straylight.study.run.runner import Outcome

__all__ = ["browser", "page", "pytestmark"]  # fixtures

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study written by hand: two numbers of photographs, a failed cell, and hostile names."""
    study = tmp_path_factory.mktemp("study")
    index = StudyIndex(study / INDEX, write=True)
    labels = {"cohort": f"skin {HOSTILE}", "model": "m" * 60, "norm": "l2", "zeta": 0.02}
    cells = [
        Cell(kind="audit", identity={"n": n}, labels=labels | {"photographs": n, "seed": 0})
        for n in (10, 100, 1000)
    ]
    index.begin(f"A study {HOSTILE}", cells)
    for cell, n_fooled in zip(cells[:2], (20, 60), strict=True):
        made = {
            "name": "auto", "attack": "auto", "role": "attack", "threat_model": "T1", "n": 100,
            "n_fooled": n_fooled, "n_ceiling": 90,
        }  # fmt: skip
        pairs = [
            {
                "attack": "auto",
                "kind": kind,
                "control": f"{kind} 1",
                "only_attack": n_fooled,
                "only_control": 1,
                "n_control": 5,
            }
            for kind in ("random-sign", "phase-randomised")
        ]
        found = {"n": 100, "n_correct": 80, "perturbations": [made], "pairs": pairs}
        index.record([Outcome(cell.id, "done", 1.0, figures=found)])
    index.record([Outcome(cells[2].id, "failed", error=f"RuntimeError: {HOSTILE}")])
    index.close()
    return write_study_report(study)


@pytest.fixture
def seen(page: "playwright.Page", report: Path) -> Seen:
    found = Seen()
    page.on("console", lambda message: found.errors.append(message.text))
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("request", lambda request: found.requests.append(request.url))
    page.add_init_script(HOOK)
    page.goto(report.as_uri(), wait_until="load")
    return found


def test_the_study_is_shown_and_nothing_else_happens(
    page: "playwright.Page", seen: Seen, report: Path
) -> None:
    assert seen.errors == []
    assert set(seen.requests) == {report.as_uri()}
    assert page.evaluate("window.alerts") == []
    assert HOSTILE in page.locator("h1").inner_text()
    assert HOSTILE in page.locator(".notice").inner_text()
    assert page.locator("svg .attack .rate").count() == 2 + 1  # two rows, and the legend
    assert page.locator(".curves polyline").count() == 2
    assert page.locator("tbody tr").count() == 2
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
