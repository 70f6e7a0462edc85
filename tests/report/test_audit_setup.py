"""What was audited: warnings and preflight stand near the top of the page."""

from dataclasses import replace
from pathlib import Path

from fixed_audit import (
    fixed_audit,
)
from report_pages import Tables
from straylight.report.render import render


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
