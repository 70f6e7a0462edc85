"""The pictures of a report: which are shown, and in which order."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from fixed_audit import (
    board,
    deltas,
    fixed_audit,
)
from report_pages import pixels
from straylight.report.render import render


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
