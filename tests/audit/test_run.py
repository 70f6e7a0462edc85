"""The whole spine on a small trained network: figures, files, resumption, refusals."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch

from oracles import as_classifier
from straylight.attacks.adaptation.adapt import Adaptation
from straylight.attacks.auto import Auto
from straylight.attacks.ball import Ball
from straylight.attacks.disrupt import Disrupt
from straylight.attacks.gradient import Gradient
from straylight.attacks.lift import Lift
from straylight.attacks.method import Method
from straylight.attacks.protocol import Attack
from straylight.attacks.sequential import Sequential
from straylight.audit.plan import Plan, jobs
from straylight.audit.results import Audit
from straylight.audit.run import run
from straylight.audit.schema import json_schema
from straylight.audit.storage import load_audit
from straylight.cohort.load import Cohort, load_cohort
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.data.images import ImageSet
from straylight.data.photographs.load import load_natural
from straylight.evaluation.scoring import predict_clean, score
from straylight.models.classifier import Classifier
from straylight.models.folding import fold
from straylight.training.finetune import finetune, public_network
from straylight.training.recipe import Recipe

PLAN = Plan(
    zeta=0.1,
    methods=(Gradient(steps=8, batch_size=8), Sequential(step_size=0.01)),
    targets=("light",),
    targeted_methods=(Gradient(steps=8, batch_size=8),),
    control_seeds=2,
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, ImageSet, Cohort]:
    """A network trained on two shades, photographs, and 24 medical images."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 12)
    images = rng.integers(90, 130, (24, 32, 32, 3)) + 30 * labels[:, None, None, None]
    path = tmp_path_factory.mktemp("parts") / "cohort.npz"
    names = np.array(["dark", "light"])
    np.savez(path, images=images.astype(np.uint8), labels=labels, class_names=names)
    cohort = load_cohort(path, (3, 32, 32))
    recipe = Recipe(
        backbone="test_resnet", weights="none", epochs=3, batch_size=8, learning_rate=0.05
    )
    classifier = finetune(cohort, recipe, path.parent / "model")
    return classifier, load_natural("builtin:photos", (3, 32, 32), n=33), cohort


@pytest.fixture(scope="module")
def finished(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Audit, Path]:
    out = tmp_path_factory.mktemp("audit") / "deep" / "er"
    return run(PLAN, *parts, out, show_images=True, command="straylight audit"), out


def test_every_audit_follows_the_published_schema(finished: tuple[Audit, Path]) -> None:
    audit, out = finished
    jsonschema.Draft202012Validator.check_schema(json_schema())
    written = json.loads((out / "audit.json").read_text())
    jsonschema.validate(written, json_schema())
    assert written == json.loads(json.dumps(audit.to_json()))
    assert written["schema"] == "straylight.audit/1"


def test_an_audit_read_back_is_the_same(finished: tuple[Audit, Path]) -> None:
    audit, out = finished
    assert json.dumps(load_audit(out).to_json()) == json.dumps(audit.to_json())


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


def test_figures_are_those_of_the_files(
    finished: tuple[Audit, Path], parts: tuple[Classifier, ImageSet, Cohort]
) -> None:
    """Count again with numpy, from the written perturbations, as a deployed system would see them."""
    audit, out = finished
    classifier, _, cohort = parts
    clean = classifier.predict_all(cohort.images).numpy()
    labels = cohort.labels.numpy()
    x = cohort.images.pixels.numpy().astype(np.float32) / np.float32(255)
    for item in audit.perturbations:
        attacked = x + np.load(out / item.file)
        received = np.round(np.clip(attacked, 0, 1) * 255).astype(np.uint8)
        under = classifier.predict(torch.from_numpy(received).float() / 255).numpy()
        raw = classifier.predict(torch.from_numpy(attacked)).numpy()
        found = item.score
        assert found.fooled.hits == (under != clean).sum()
        assert found.fooled_raw.hits == (raw != clean).sum()
        assert found.correct.hits == (under == labels).sum()
        assert found.hit(1).hits == (under == 1).sum()
        assert found.hit_from_elsewhere(1).hits == ((under == 1) & (clean != 1)).sum()
        for row in range(2):
            for column in range(2):
                assert found.confusion[row][column] == ((labels == row) & (under == column)).sum()
                assert found.transitions[row][column] == ((clean == row) & (under == column)).sum()


def test_same_seed_same_bits(
    finished: tuple[Audit, Path], parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    again = run(PLAN, *parts, tmp_path)
    assert comparable(again) == comparable(finished[0])
    for item in again.perturbations:
        assert (tmp_path / item.file).read_bytes() == (finished[1] / item.file).read_bytes()


def comparable(audit: Audit) -> list[object]:
    return [replace(item, seconds=0.0) for item in audit.perturbations]


class KilledAfter(Silent):
    """Stops as a key press would, when the n-th piece of work starts."""

    def __init__(self, starts: int) -> None:
        self.left = starts

    def start(self, title: str, total: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def test_a_killed_audit_goes_on_to_the_same_end(
    finished: tuple[Audit, Path], parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    for starts in (0, 1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            run(PLAN, *parts, tmp_path, tracker=KilledAfter(starts))
        assert not (tmp_path / "audit.json").exists()
    done = json.loads((tmp_path / "unfinished.json").read_text())["perturbations"]
    assert [item["name"] for item in done] == ["gradient", "sequential", "gradient to light"]
    resumed = run(PLAN, *parts, tmp_path)
    assert comparable(resumed) == comparable(finished[0])
    assert [item.seconds for item in resumed.of_role("attack")] == [
        item["seconds"] for item in done
    ]
    assert not (tmp_path / "unfinished.json").exists()


def test_nothing_is_overwritten_without_force(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    quick = replace(PLAN, methods=(Gradient(steps=1),), targets=(), control_seeds=1)
    (tmp_path / "mine.txt").write_text("keep")
    run(quick, *parts, tmp_path)
    before = (tmp_path / "audit.json").read_bytes()
    with pytest.raises(InputError, match="already holds an audit: use --force"):
        run(quick, *parts, tmp_path)
    assert (tmp_path / "audit.json").read_bytes() == before
    run(replace(quick, seed=1), *parts, tmp_path, force=True)
    assert load_audit(tmp_path).perturbations[0].seed == 1
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_an_unfinished_audit_of_other_settings_is_kept(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(PLAN, *parts, tmp_path, tracker=KilledAfter(2))
    with pytest.raises(InputError, match="unfinished audit with other settings"):
        run(replace(PLAN, seed=1), *parts, tmp_path)
    assert (tmp_path / "unfinished.json").exists()
    (tmp_path / "unfinished.json").write_text("{")
    with pytest.raises(InputError, match="is broken"):
        run(PLAN, *parts, tmp_path)


def test_linf_budgets_in_pixel_units(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    plan = Plan(norm="linf", eps=8 / 255, methods=(Gradient(steps=3),), control_seeds=1)
    audit = run(plan, *parts, tmp_path)
    assert audit.budget.zeta is None
    assert audit.budget.eps_rms_levels == pytest.approx(8)
    assert all(item.linf <= 8 / 255 + 1e-7 for item in audit.perturbations)


def test_parts_that_do_not_match_are_refused(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    classifier, photographs, cohort = parts
    grey = load_natural("builtin:photos", (1, 32, 32), n=3)
    with pytest.raises(InputError, match=r"has images of shape \(1, 32, 32\)"):
        run(PLAN, classifier, grey, cohort, tmp_path)
    renamed = Cohort(cohort.images, cohort.labels, ("light", "dark"))
    with pytest.raises(InputError, match=r"has the classes light, dark; the classifier has dark"):
        run(PLAN, classifier, photographs, renamed, tmp_path)
    with pytest.raises(InputError, match="the target 'none' is none of the classes"):
        run(replace(PLAN, targets=("none",)), *parts, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file: give a folder"):
        run(PLAN, *parts, tmp_path / "file")
    with pytest.raises(InputError, match=r"cannot be written to \(Not a directory\)"):
        run(PLAN, *parts, tmp_path / "file" / "below")


QUICK = Adaptation(n=40, steps=3, batch_size=4)


def test_adapted_photographs_are_recorded_with_their_cost(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    attack = Gradient(steps=4, batch_size=8)
    plan = replace(
        PLAN,
        methods=(Method(attack, "adapted"), Method(Auto(passes=400, batch_size=4))),
        targets=(),
        targeted_methods=None,
        adaptation=QUICK,
    )
    audit = run(plan, *parts, tmp_path)
    first, second = audit.of_role("attack")
    assert (first.name, first.source, first.threat_model) == ("gradient@adapted", "adapted", "T1")
    assert (second.name, second.source) == ("auto@photographs", "photographs")
    assert (first.n_forward, first.n_backward) == (3 * 32, 32)  # of 40, aligned
    adapted = audit.natural.adapted
    assert adapted is not None
    assert (adapted["n"], adapted["n_forward"], adapted["n_backward"]) == (40, 12 + 40, 12)
    assert adapted["settings"] == vars(QUICK)
    surrogates = QUICK(parts[0], parts[1], generator=torch.Generator().manual_seed(0)).images
    assert adapted["sha256"] == surrogates.sha256
    kept = np.load(tmp_path / adapted["examples"])
    assert np.array_equal(kept, surrogates.pixels[: len(kept)].numpy())
    assert load_audit(tmp_path).natural == audit.natural


def test_force_leaves_nothing_of_the_audit_before(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    adapted = Method(Gradient(steps=1), "adapted")
    plan = replace(PLAN, methods=(adapted,), targets=(), adaptation=QUICK, control_seeds=1)
    run(plan, *parts, tmp_path, show_images=True)
    run(replace(plan, methods=(Gradient(steps=1),)), *parts, tmp_path, force=True)
    found = sorted(file.name for file in tmp_path.iterdir())
    assert found == ["audit.json", "perturbations", "photographs.npy"]


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


def test_an_oracle_may_not_learn_on_what_it_is_scored_on(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    _, photographs, cohort = parts
    oracle = Method(Gradient(steps=1), "medical")
    plan = replace(PLAN, methods=(oracle, Gradient(steps=1)), targets=())
    with pytest.raises(InputError, match="learns on medical images: give them"):
        run(plan, *parts, tmp_path)
    some = ImageSet(cohort.images.pixels[:5], "training")
    with pytest.raises(InputError, match="5 images of training are in "):
        run(plan, *parts, tmp_path, training=some)
    with pytest.raises(InputError, match="has images of shape"):
        run(plan, *parts, tmp_path, training=ImageSet(photographs.pixels[:, :1], "grey"))
    with pytest.raises(InputError, match="give at least one attack"):
        run(replace(plan, methods=(oracle,)), *parts, tmp_path, training=photographs)
    assert not (tmp_path / "audit.json").exists()


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"zeta": None}, "give either zeta or eps"),
        ({"eps": 0.1}, "give either zeta or eps"),
        ({"methods": ()}, "at least one method"),
        (
            {"methods": (Auto(), Lift()), "targeted_methods": None},
            "none of the methods auto, lift takes a target",
        ),
        ({"targeted_methods": (Gradient(loss="cosine"),)}, "gradient takes no target"),
        ({"control_seeds": 0}, "control_seeds must be at least 1"),
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(PLAN, **changes)  # type: ignore[arg-type]


def test_too_few_passes_are_refused_before_anything_is_run(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    plan = Plan(norm="l2", zeta=0.1, methods=(Gradient(steps=1), Auto(passes=100)))
    with pytest.raises(InputError, match="auto cannot try two goals on 3000 photographs"):
        run(plan, *parts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_runs_of_the_same_name_are_told_apart() -> None:
    plan = replace(
        PLAN, methods=(Gradient(), Gradient(steps=2)), targets=("a",), targeted_methods=None
    )
    assert [job.name for job in jobs(plan, ("a", "b"))] == [
        "gradient",
        "gradient:steps=2",
        "gradient to a",
        "gradient:steps=2 to a",
    ]


def test_no_perturbation_fools_nobody(parts: tuple[Classifier, ImageSet, Cohort]) -> None:
    classifier, _, cohort = parts
    clean = predict_clean(classifier, cohort)
    found = score(classifier, torch.zeros(1, 3, 32, 32), clean, batch_size=7)
    assert found.fooled.hits == found.fooled_raw.hits == 0
    assert found.confusion == clean.confusion


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"has no audit\.json"),
        ("{", "cannot be read as JSON"),
        ("[]", "does not follow straylight.audit/1 at the top"),
        ('{"schema": "straylight.audit/1"}', "does not follow straylight.audit/1 at the top"),
    ],
)
def test_broken_audits_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "audit.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load_audit(tmp_path)


def test_a_tampered_audit_is_refused(finished: tuple[Audit, Path], tmp_path: Path) -> None:
    """A file name that leaves the folder never reaches the reader of files."""
    data = json.loads((finished[1] / "audit.json").read_text())
    data["perturbations"][0]["file"] = "../../etc/passwd"
    (tmp_path / "audit.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="at perturbations/0/file"):
        load_audit(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("perturbations", 0, "confusion"), [[24, 0]], "perturbations/0/confusion is not 2 x 2"),
        (("perturbations", 1, "transitions"), [[1, 0], [0, 1]], "does not count 24 images"),
        (("perturbations", 2, "target"), "blue", "perturbations/2/target is not a class"),
        (("perturbations", 2, "n_fooled_raw"), 25, "n_fooled_raw exceeds the 24 images"),
        (("cohort", "class_names"), ["a", "b"], "cohort/class_names differ"),
    ],
)
def test_an_audit_that_contradicts_itself_is_refused(
    finished: tuple[Audit, Path], tmp_path: Path, path: tuple[str, ...], value: object, message: str
) -> None:
    data = json.loads((finished[1] / "audit.json").read_text())
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    (tmp_path / "audit.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=message):
        load_audit(tmp_path)


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
    assert [point["images_seen"] for point in curved.curve] == [8, 16, 32]
    assert curved.curve[-1]["n_fooled"] == curved.score.fooled.hits
    assert curved.curve[-1]["model_passes"] == curved.n_forward + curved.n_backward
    assert [point["model_passes"] for point in curved.curve] == [
        32 + 2 * seen for seen in (8, 16, 32)
    ]
    half = Gradient(steps=2, batch_size=4)
    assert half.planned(33, 2) == curved.curve[0]["images_seen"]
    assert load_audit(tmp_path / "curved").perturbations[0].curve == curved.curve


def test_a_curve_ends_where_auto_ends(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    """Its last choice comes after its last step, without a further photograph."""
    classifier, photographs, cohort = parts
    auto = Method(Auto(passes=900, batch_size=4))
    plan = Plan(norm="l2", zeta=0.1, methods=(auto,), control_seeds=1, curve=3, adaptation=QUICK)
    found = run(plan, classifier, photographs, cohort, tmp_path).perturbations[0]
    assert len(found.curve) == 3
    assert found.curve[-1]["n_fooled"] == found.score.fooled.hits
    assert found.curve[-1]["model_passes"] == found.n_forward + found.n_backward
    once = replace(plan, methods=(Gradient(steps=1, batch_size=4),))
    found = run(once, classifier, photographs, cohort, tmp_path / "once").perturbations[0]
    assert [point["images_seen"] for point in found.curve] == [4]


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
    assert found.method["start_sha256"] == digest
    begun, ended = np.load(file), np.load(tmp_path / "warm" / found.file)
    assert not np.array_equal(begun, ended)
    generator, folded = torch.Generator().manual_seed(0), fold(classifier)
    drawn = photographs.subset(torch.randperm(len(photographs), generator=generator)[:4])
    (step,) = Gradient(steps=1, batch_size=4).descend(
        folded,
        drawn,
        folded.logits_all(drawn),
        Ball("l2", audit.budget.eps),
        target=None,
        generator=generator,
        start=torch.from_numpy(begun),
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


class NaNs(torch.nn.Module):
    """Has an opinion on nothing."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), 2), float("nan"))


def test_outputs_that_are_no_numbers_are_not_counted(
    parts: tuple[Classifier, ImageSet, Cohort],
) -> None:
    classifier, _, cohort = parts
    clean = predict_clean(classifier, cohort)
    delta = torch.full((1, 3, 32, 32), float("nan"))
    with pytest.raises(InputError, match="gives NaN for 24 of 24 images"):
        score(classifier, delta, clean)
    broken = as_classifier(NaNs(), (3, 32, 32))
    cohort = replace(cohort, class_names=broken.class_names)
    with pytest.raises(InputError, match="gives NaN for 24 of 24 images"):
        predict_clean(broken, cohort)
