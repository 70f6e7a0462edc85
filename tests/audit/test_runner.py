"""Attacks and controls: their budgets, networks, curves and records."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audit_runs import PLAN, QUICK
from straylight.attacks.auto import Auto
from straylight.attacks.ball import Ball
from straylight.attacks.disrupt import Disrupt
from straylight.attacks.gradient import Gradient
from straylight.attacks.lift import Lift
from straylight.attacks.method import Method
from straylight.attacks.protocol import Attack
from straylight.audit.plan import Plan
from straylight.audit.results import Audit
from straylight.audit.run import run
from straylight.audit.storage import load_audit
from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from straylight.models.folding import fold_batch_norms
from straylight.training.finetune import public_network


def test_it_holds_every_attack_beside_its_controls(finished: tuple[Audit, Path]) -> None:
    audit, _ = finished
    assert [item.name for item in audit.of_role("attack")] == [
        "gradient",
        "sequential",
        "gradient to light",
    ]
    assert [item.name for item in audit.of_role("control")] == [
        "random-sphere 1",
        "random-sphere 2",
        "random-sign 1",
        "random-sign 2",
        "perlin 1",
        "perlin 2",
        "gabor 1",
        "gabor 2",
        "phase-randomised gradient",
        "phase-randomised sequential",
        "phase-randomised gradient to light",
    ]
    assert {item.threat_model for item in audit.of_role("attack")} == {"T1"}
    assert {item.threat_model for item in audit.of_role("control")} == {"T0"}


def test_perturbations_lie_in_the_budget_and_random_controls_fill_it(
    finished: tuple[Audit, Path], parts: tuple[Classifier, ImageSet, Cohort]
) -> None:
    audit, out = finished
    eps = audit.budget.eps
    assert eps == pytest.approx(0.1 * parts[2].images.mean_norm("l2"))
    assert audit.budget.eps_rms_levels == pytest.approx(eps / (3 * 32 * 32) ** 0.5 * 255)
    for item in audit.perturbations:
        delta = np.load(out / item.file, allow_pickle=False)
        assert delta.shape == (1, 3, 32, 32)
        assert delta.dtype == np.float32
        assert item.l2 == pytest.approx(float(np.linalg.norm(delta)), rel=1e-5)
        assert item.linf == float(np.abs(delta).max())
        assert item.l2 <= eps * (1 + 1e-5)
        if item.name.startswith(("random", "perlin", "gabor")):
            assert item.l2 == pytest.approx(eps, rel=1e-5)
        if item.copy_of is not None:
            original = next(a for a in audit.perturbations if a.name == item.copy_of)
            assert item.l2 == pytest.approx(original.l2, rel=1e-4)


def test_an_oracle_is_a_reference_and_no_attack(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    oracle = Method(Gradient(steps=30, batch_size=8), "medical")
    plan = replace(PLAN, methods=(oracle, Gradient(steps=1)), targets=(), targeted_methods=None)
    noisy = (parts[2].images.pixels.int() + 1).clamp(0, 255).to(torch.uint8)
    audit = run(plan, *parts, tmp_path, training=ImageSet(noisy, "training"))
    (reference,) = audit.of_role("reference")
    assert (reference.name, reference.threat_model) == ("gradient@medical", "oracle")
    assert [item.name for item in audit.of_role("attack")] == ["gradient"]
    assert not any(item.copy_of == reference.name for item in audit.perturbations)


def test_attacks_on_the_public_network_never_call_the_victim(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The victim counts its callers: while an attack of T2 runs, there are none."""
    classifier, photographs, cohort = parts
    public = public_network(classifier, str(Path(classifier.spec) / "model.safetensors"))
    attacks = (Lift(steps=3, batch_size=4), Disrupt(steps=3, batch_size=4))
    plan = replace(PLAN, methods=attacks, targets=())
    with pytest.raises(InputError, match="work on the public network"):
        run(plan, *parts, tmp_path)

    def raising(self: Classifier, images: torch.Tensor) -> torch.Tensor:
        assert not (asked and self.spec == classifier.spec), "the victim was asked"
        return original(self, images)

    asked: list[str] = []
    original = Classifier.forward
    monkeypatch.setattr(Classifier, "forward", raising)
    for kind in (Lift, Disrupt):
        call = kind.__call__

        def spy(attack: Attack, *args: Any, call: Any = call, **kwargs: Any) -> Any:  # noqa: ANN401
            asked.append(type(attack).__name__)
            yield from call(attack, *args, **kwargs)
            asked.pop()

        monkeypatch.setattr(kind, "__call__", spy)
    audit = run(plan, classifier, photographs, cohort, tmp_path, public=public)
    assert [item.threat_model for item in audit.of_role("attack")] == ["T2", "T2"]
    assert [item.n_backward for item in audit.of_role("attack")] == [12, 12]
    assert [item.n_forward for item in audit.of_role("attack")] == [12, 24]


def test_a_curve_is_scored_on_the_way_and_chooses_nothing(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    classifier, photographs, cohort = parts
    attack = Gradient(steps=8, batch_size=4)
    plain = Plan(norm="l2", zeta=0.1, methods=(attack,), control_seeds=1)
    straight = run(plain, classifier, photographs, cohort, tmp_path / "plain").perturbations[0]
    curved = run(
        replace(plain, curve=3), classifier, photographs, cohort, tmp_path / "curved"
    ).perturbations[0]
    assert curved.score == straight.score
    assert (curved.n_forward, curved.n_backward) == (straight.n_forward, straight.n_backward)
    assert straight.curve == ()
    assert [point.images_seen for point in curved.curve] == [8, 16, 32]
    assert curved.curve[-1].n_fooled == curved.score.fooled.hits
    assert curved.curve[-1].model_passes == curved.n_forward + curved.n_backward
    assert [point.model_passes for point in curved.curve] == [32 + 2 * seen for seen in (8, 16, 32)]
    half = Gradient(steps=2, batch_size=4)
    assert half.planned(33, 2) == curved.curve[0].images_seen
    assert load_audit(tmp_path / "curved").perturbations[0].curve == curved.curve


def test_a_curve_ends_where_auto_ends(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    """Its last choice comes after its last step, without a further photograph."""
    classifier, photographs, cohort = parts
    auto = Method(Auto(image_passes=900, batch_size=4))
    plan = Plan(norm="l2", zeta=0.1, methods=(auto,), control_seeds=1, curve=3, adaptation=QUICK)
    found = run(plan, classifier, photographs, cohort, tmp_path).perturbations[0]
    assert len(found.curve) == 3
    assert found.curve[-1].n_fooled == found.score.fooled.hits
    assert found.curve[-1].model_passes == found.n_forward + found.n_backward
    once = replace(plan, methods=(Gradient(steps=1, batch_size=4),))
    found = run(once, classifier, photographs, cohort, tmp_path / "once").perturbations[0]
    assert [point.images_seen for point in found.curve] == [4]


def test_a_warm_start_goes_on_from_a_saved_perturbation(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    classifier, photographs, cohort = parts
    plan = Plan(norm="l2", zeta=0.1, methods=(Gradient(steps=3, batch_size=4),), control_seeds=1)
    first = run(plan, classifier, photographs, cohort, tmp_path / "first")
    file = tmp_path / "first" / first.perturbations[0].file
    warm = replace(plan, methods=(Gradient(steps=1, batch_size=4, start=str(file)),))
    audit = run(warm, classifier, photographs, cohort, tmp_path / "warm")
    found = audit.perturbations[0]
    digest = hashlib.sha256(np.load(file).tobytes()).hexdigest()
    assert found.method.settings["start_sha256"] == digest
    begun, ended = np.load(file), np.load(tmp_path / "warm" / found.file)
    assert not np.array_equal(begun, ended)
    generator, folded = torch.Generator().manual_seed(0), fold_batch_norms(classifier)
    drawn = photographs.subset(torch.randperm(len(photographs), generator=generator)[:4])
    (step,) = Gradient(steps=1, batch_size=4).descend_from(
        torch.from_numpy(begun),
        folded,
        drawn,
        folded.logits_all(drawn),
        Ball("l2", audit.budget.eps),
        target=None,
        generator=generator,
    )
    np.testing.assert_allclose(ended, step.delta.numpy(), atol=1e-6)
    with pytest.raises(InputError, match="cannot be read as a perturbation"):
        replace(plan, methods=(Gradient(start="absent.npy"),)).settings()
    np.save(tmp_path / "small.npy", np.zeros((1, 3, 8, 8), np.float32))
    small = replace(plan, methods=(Gradient(start=str(tmp_path / "small.npy")),))
    with pytest.raises(InputError, match=r"shape \(3, 8, 8\).*the images have shape"):
        run(small, classifier, photographs, cohort, tmp_path / "small")


@pytest.mark.parametrize(("times", "size"), [(float("nan"), "nan"), (2.0, r"\d")])
def test_a_perturbation_beyond_the_budget_is_not_scored(
    parts: tuple[Classifier, ImageSet, Cohort],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: float,
    size: str,
) -> None:
    honest = Ball.project
    monkeypatch.setattr(Ball, "project", lambda ball, delta: honest(ball, delta) * times)
    with pytest.raises(
        InputError, match=f"gradient made a perturbation of size {size}.*not scored"
    ):
        run(PLAN, *parts, tmp_path / "audit")
    assert not (tmp_path / "audit" / "audit.json").exists()
