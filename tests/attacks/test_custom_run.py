"""A user's own attack is checked while it runs."""

from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from attack_runs import rng
from oracles import linear_problem
from straylight.attacks.ball import Ball
from straylight.attacks.custom_run import count_planned, run_checked
from straylight.attacks.protocol import Snapshot
from straylight.core.errors import InputError


class Yielding:
    """Yields what it is given."""

    threat_model: ClassVar[str] = "T1"
    takes_target: ClassVar[bool] = False

    def __init__(self, *found: object, planned: object = 1) -> None:
        self.found, self.will_look_at = found, planned

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> Any:  # noqa: ANN401
        return self.will_look_at

    def __call__(self, *_: object, **__: object) -> Any:  # noqa: ANN401
        yield from self.found


def snapshots(attack: Yielding) -> list[Snapshot]:
    classifier, photographs, _ = linear_problem((1, 8, 8), n=4)
    run: Any = run_checked
    return list(run(attack, classifier, photographs, Ball("l2", 1.0), target=None, generator=rng()))


def test_pairs_become_snapshots_of_float32() -> None:
    delta = torch.full((1, 1, 8, 8), 0.1, dtype=torch.float64)
    (found,) = snapshots(Yielding((delta, np.int64(3))))
    assert isinstance(found, Snapshot)
    assert (found.delta.dtype, found.images_seen) == (torch.float32, 3)
    torch.testing.assert_close(found.delta, delta.float())


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((), "made no perturbation"),
        ((torch.zeros(1, 1, 8, 8),), "an attack yields Snapshot"),
        (((torch.zeros(1, 1, 4, 4), 1),), r"of shape \(1, 1, 4, 4\), not a tensor \(1, 1, 8, 8\)"),
        (((torch.ones(1, 1, 8, 8), 1),), "yielded a perturbation of size 8, the l2 budget is 1"),
        (((torch.full((1, 1, 8, 8), torch.nan), 1),), "NaN or infinite"),
        (((torch.zeros(1, 1, 8, 8), 2), (torch.zeros(1, 1, 8, 8), 1)), "images_seen=1.* after 2"),
    ],
)
def test_what_is_not_a_perturbation_inside_the_ball_is_refused(
    found: tuple[object, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        snapshots(Yielding(*found))


@pytest.mark.parametrize("planned", [-1, 0.5, None, 2**63])
def test_a_plan_is_a_whole_number(planned: object) -> None:
    count: Any = count_planned
    assert count(Yielding(planned=np.int64(7)), 1, 2, 2) == 7
    with pytest.raises(InputError, match="must return a whole number of photographs"):
        count(Yielding(planned=planned), 1, 2, 2)
