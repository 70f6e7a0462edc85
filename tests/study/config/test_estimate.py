"""What a training or an audit takes, counted by hand."""

import pytest

from straylight.attacks.adaptation.adapt import Adaptation
from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.attacks.sequential import Sequential
from straylight.audit.plan import Plan
from straylight.study.config.cost import CellCost, Throughput
from straylight.study.config.estimate import audit_cost, training_cost
from straylight.training.recipe import Recipe

PACE = Throughput(training=100.0, attack=200.0, sequential=50.0, adapting=25.0, scoring=1000.0)
NAMES = ("dark", "light")


def test_a_training_takes_two_passes_an_image_and_one_of_those_held_out() -> None:
    """Of 100 images 20 are held out: 3 epochs of 80 both ways and 20 forwards."""
    recipe = Recipe(backbone="test_resnet", weights="none", epochs=3, validation=0.2)
    assert training_cost(recipe, 100, None) == CellCost(3 * (2 * 80 + 20), 0.0)
    assert training_cost(recipe, 100, PACE) == CellCost(540, 5.4)


def cost(
    plan: Plan, n_photographs: int, n_train: int = 500, throughput: Throughput | None = PACE
) -> CellCost:
    return audit_cost(plan, NAMES, n_photographs, n_train=n_train, n_test=40, throughput=throughput)


def test_an_audit_takes_its_attacks_and_its_scoring() -> None:
    """Without a target: one attack, its copy and four controls of two seeds, scored in both ways."""
    plan = Plan(zeta=0.1, methods=(Gradient(steps=5, batch_size=8),), control_seeds=2)
    attack = 2 * 5 * 8 + 30
    scoring = (2 * (1 + 1 + 4 * 2) + 1) * 40
    found = cost(plan, 30)
    assert found.passes == attack + scoring
    assert found.seconds == pytest.approx(attack / 200 + scoring / 1000)
    assert cost(plan, 30, throughput=None) == CellCost(attack + scoring, 0.0)


def test_each_kind_of_work_has_its_own_pace() -> None:
    """Photographs one by one, some adapted before, and medical images in their place."""
    gradient = Gradient(steps=5, batch_size=8)
    methods = (Sequential(epochs=2), Method(gradient, "adapted"), Method(gradient, "medical"))
    adaptation = Adaptation(n=60, steps=3, batch_size=4)
    plan = Plan(zeta=0.1, methods=methods, adaptation=adaptation, control_seeds=1)
    one_by_one = 2 * 2 * 30 + 30
    for n_train, n_medical in ((500, 30), (12, 12), (0, 30)):
        in_batches = (2 * 40 + 60) + (2 * 40 + n_medical)
        adapting = 2 * 3 * 4
        scoring = (2 * (3 * 2 + 4) + 1) * 40
        found = cost(plan, 30, n_train)
        assert found.passes == one_by_one + in_batches + adapting + scoring
        assert found.seconds == pytest.approx(
            one_by_one / 50 + in_batches / 200 + adapting / 25 + scoring / 1000
        )


def test_each_target_is_an_attack_more() -> None:
    gradient = Gradient(steps=5, batch_size=8)
    one = cost(Plan(zeta=0.1, methods=gradient, control_seeds=1), 30)
    three = cost(Plan(zeta=0.1, methods=gradient, targets=NAMES, control_seeds=1), 30)
    assert three.passes - one.passes == 2 * (2 * 40 + 30) + 2 * 2 * 2 * 40
