"""Figures of a cell are checked by type and bounds before they enter the index."""

from typing import Any

import pytest

from straylight.study.run.index_columns import check_figures, check_perturbation_row

USED = {"n": "a count", "n_fooled": "a count", "target": "a text or nothing"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"n_fooled": 10}, None),
        ({"n_fooled": 11}, "its n_fooled exceeds its 10 images"),
        ({"n_fooled": -1}, "its n_fooled is -1, which is not a count"),
        ({"n_fooled": True}, "its n_fooled is True, which is not a count"),
        ({"n": 10.0}, "its n is 10.0, which is not a count"),
        ({"target": 3}, "its target is 3, which is not a text or nothing"),
        ({"target": "MEL"}, "it has a target and no n_elsewhere"),
        ({"target": "MEL", "n_elsewhere": 4, "n_moved": 5}, "its n_moved exceeds its n_elsewhere"),
    ],
)
def test_a_perturbation_counts_no_more_images_than_there_are(
    changes: dict[str, Any], message: str | None
) -> None:
    row: dict[str, Any] = {"n": 10, "n_fooled": 3} | changes
    if message is None:
        check_perturbation_row(row, USED)
        return
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        check_perturbation_row(row, USED)


def test_figures_of_a_training_need_no_perturbations() -> None:
    check_figures({"validation_accuracy": 0.5})
    with pytest.raises(ValueError, match="its n_correct exceeds its n"):
        check_figures({"n": 3, "n_correct": 4})
    with pytest.raises(ValueError, match="its validation_accuracy is nan, which is not a number"):
        check_figures({"validation_accuracy": float("nan")})
