"""Another normalisation is named where it is clearly better."""

import pytest
import torch

from preflight_cases import HALF, LinearNet, TunedNet, make_classifier, make_cohort, run_preflight
from straylight.evaluation.preflight.normalisation import USUAL, Normalisation
from straylight.evaluation.preflight.run import preflight

BGR = Normalisation("the channels in the order BGR", HALF.mean, HALF.std, bgr=True)


@pytest.mark.parametrize("learned", [*USUAL, BGR], ids=lambda item: item.name)
def test_another_normalisation_is_named(learned: Normalisation) -> None:
    given = USUAL[0] if learned is HALF else HALF
    cohort = make_cohort((60, 60))
    warnings = preflight(make_classifier(TunedNet(learned), given), cohort)
    assert [f.check for f in warnings] == ["constant", "accuracy", "normalisation"]
    assert f"With {learned.name} the accuracy would be 100 % (96.3-100) of 100" in (
        warnings[2].message
    )
    assert "instead of 50.0 % (40.4-59.6) of 100 images" in warnings[2].message
    if not learned.bgr:
        said = warnings[2].message.split("--mean ")[1].rstrip(".").replace("--std ", "").split()
        mean_std = [*learned.expand(3).mean, *learned.expand(3).std]
        assert [float(x) for x in said] == pytest.approx(mean_std, rel=1e-5)
        assert preflight(make_classifier(TunedNet(learned), learned), cohort) == ()


def test_no_normalisation_is_named_where_none_is_clearly_better() -> None:
    """Poor whatever is done to the images; and wrong in all, where a constant would be half right."""
    poor = run_preflight(LinearNet(lambda z: torch.sin(1e4 * z)))
    assert [f.check for f in poor] == ["accuracy"]
    swapped = run_preflight(LinearNet(lambda z: -z))
    assert [f.check for f in swapped] == ["accuracy", "class-order"]
