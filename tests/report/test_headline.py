"""The headline of the page follows from the counts."""

from dataclasses import replace
from pathlib import Path

from fixed_audit import (
    fixed_audit,
)
from report_pages import Tables, span
from straylight.evaluation.metrics import Proportion
from straylight.report.render import render


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
