"""Each finding, from a network made to have that fault and no other; and none from a sound one."""

import copy
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from straylight.attacks.gradient import Gradient
from straylight.audit.plan import Plan
from straylight.audit.run import run
from straylight.audit.storage import load_audit
from straylight.cohort.load import Cohort
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.core.tensors import LEVELS, to_pixels
from straylight.data.images import ImageSet
from straylight.evaluation.preflight.finding import Finding
from straylight.evaluation.preflight.normalisation import USUAL, Normalisation
from straylight.evaluation.preflight.outputs import differ
from straylight.evaluation.preflight.run import alternating, preflight
from straylight.models.classifier import Classifier, count_passes
from straylight.report.render import write_report

SHAPE = (3, 8, 8)
COLOURS = torch.tensor([[0.3, 0.4, 0.5], [0.7, 0.6, 0.4]])  # of the two classes
HALF = USUAL[1]


def coloured(counts: tuple[int, ...], colours: Tensor = COLOURS, seed: int = 0) -> Cohort:
    """Noisy images of one colour for each class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    noise = 0.05 * torch.randn(len(labels), *SHAPE, generator=generator)
    pixels = to_pixels(colours[labels][:, :, None, None] + noise)
    return Cohort(ImageSet(pixels, "cohort"), labels, tuple("abcdefg"[: len(counts)]))


def brightness(images: Tensor) -> Tensor:
    return 10 * images.mean((1, 2, 3))


class Net(nn.Module):
    """Logits (-z, z), with z what is made of the images' mean, which is positive for class b."""

    def __init__(self, change: Callable[[Tensor], Tensor] | nn.Module = lambda z: z) -> None:
        super().__init__()
        self.change = change

    def forward(self, images: Tensor) -> Tensor:
        z = self.change(brightness(images))
        return torch.stack([-z, z], 1)


def wrapped(
    network: nn.Module,
    normalisation: Normalisation = HALF,
    names: tuple[str, ...] = ("a", "b"),
    **card: str,
) -> Classifier:
    return Classifier(
        network,
        shape=SHAPE,
        class_names=names,
        mean=normalisation.of_channels(3).mean,
        std=normalisation.of_channels(3).std,
        card=dict(card),
    )


def found(network: nn.Module, cohort: Cohort | None = None) -> tuple[Finding, ...]:
    return preflight(wrapped(network), cohort or coloured((60, 60)))


def test_a_sound_classifier_has_no_findings() -> None:
    assert found(Net()) == ()


def test_it_is_cheap_repeatable_and_leaves_the_generator_alone() -> None:
    cohort, classifier = coloured((300, 300)), wrapped(Net(lambda z: z + torch.randn_like(z)))
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    logits = classifier.logits_all(cohort.images)
    torch.manual_seed(7)
    with count_passes(classifier) as passes:
        first = preflight(classifier, cohort, logits)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(8)
    assert preflight(classifier, cohort, logits) == first
    # Three passes over 24 images, one of them for a gradient (what is random is not asked for an image
    # alone); the rest is the test of normalisations, which go around this classifier: at most 7 x 16 + 100.
    assert (passes.forward, passes.backward) == (72, 24)


class Stubborn(nn.Module):
    """A layer that stays in training mode."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def train(self, mode: bool = True) -> "Stubborn":
        return super().train(True)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.layer(z[:, None])
        return out[:, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda z: F.dropout(z, 0.3), ["in a second pass", "something random"]),
        (Stubborn(nn.Dropout(0.3)), ["in a second pass", "Dropout change.layer stays in training"]),
        (Stubborn(nn.BatchNorm1d(1)), ["in other batches", "BatchNorm1d change.layer stays in"]),
        (
            lambda z: F.batch_norm(z[:, None], None, None, training=True)[:, 0],
            ["in other batches", "looks at the other images"],
        ),
    ],
)
def test_a_network_that_changes_its_answer_is_an_error(
    change: Callable[[Tensor], Tensor], words: list[str]
) -> None:
    first = found(Net(change))[0]
    assert (first.level, first.check) == ("error", "determinism")
    assert all(word in first.message for word in words)


def test_training_mode_without_consequence_is_a_note() -> None:
    (note,) = found(Net(Stubborn(nn.Dropout(0.0))))
    assert (note.level, note.check) == ("note", "determinism")


def test_rounding_of_a_sure_probability_is_no_change() -> None:
    """One minus one step of float32 below 1, and one minus two: logits that differ by 0.7."""
    p = torch.tensor([1 - 2**-24, 1 - 2**-23])
    logits = torch.stack([(1 - p).log(), p.log()], 1)
    one, other = logits[:1], logits[1:]
    assert differ(wrapped(Net()), one, other)
    assert not differ(wrapped(Net(), head="one-probability"), one, other)


def test_outputs_that_are_no_numbers_are_errors() -> None:
    cohort = coloured((20, 20))
    cohort.images.pixels[:3] = 127  # z is -0.04 there, and no root
    findings = found(Net(lambda z: torch.where((z + 0.04).abs() < 0.01, math.nan, z)), cohort)
    assert [f.check for f in findings if f.level == "error"] == ["outputs"]
    assert "for 3 of 40 images" in findings[0].message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (torch.Tensor.detach, r"No gradient reaches the images \(element 0 of tensors does not"),
        (lambda z: z.sign() + z * 0, "is zero for all 24 images"),
        (lambda z: z + (z * 0).sqrt(), "is NaN or infinite for 24 of 24 images"),
    ],
)
def test_gradients_that_lead_nowhere_are_errors(
    change: Callable[[Tensor], Tensor], message: str
) -> None:
    (error,) = found(Net(change))
    assert (error.level, error.check) == ("error", "gradients")
    assert re.search(message, error.message)


def test_a_saturated_softmax_is_a_warning() -> None:
    """The sigmoid of z falls off as its exponential: at 13 times -2 no rounding of it is moved."""
    (warning,) = found(Net(lambda z: torch.where(z < 0, 13 * z, z).sigmoid() - 0.5))
    assert (warning.level, warning.check) == ("warning", "gradients")
    assert "vanishes for 12 of 24 images" in warning.message


def test_how_outputs_became_logits_is_a_note() -> None:
    (note,) = preflight(wrapped(Net(), head="probabilities"), coloured((60, 60)))
    assert (note.level, note.check) == ("note", "head")
    assert "probabilities, and their logarithms" in note.message
    assert preflight(wrapped(Net(), head="logits"), coloured((60, 60))) == ()


def test_absent_and_few_images_of_a_class() -> None:
    class Third(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.cat([Net()(images), torch.full((len(images), 1), -9.0)], 1)

    cohort = replace(coloured((60, 9)), class_names=("a", "b", "c"))
    warning, note = preflight(wrapped(Third(), names=("a", "b", "c")), cohort)
    assert (warning.level, note.level) == ("warning", "note")
    assert "has no image of c:" in warning.message
    assert "fewer than 10 images of b (9)" in note.message


def test_one_answer_for_all_images() -> None:
    findings = found(Net(lambda z: z.abs() + 1), coloured((30, 70)))
    assert [f.check for f in findings] == ["constant", "accuracy"]
    assert "All 100 images are predicted as b" in findings[0].message
    # Balanced: recalls 0 of 30 and 70 of 70, so guessing.
    assert (
        "70.0 % (60.4-78.1) of 100 images and the balanced accuracy 50.0 %" in findings[1].message
    )
    assert "guessing has 50.0 %: no better than chance" in findings[1].message


def test_less_than_always_the_commonest_class() -> None:
    """Right for 60 of 90 a and 10 of 10 b: 70 %, less than 90 %, and still far from guessing."""
    cohort = coloured((90, 10))
    wrong = torch.zeros(100, dtype=torch.bool)
    wrong[:30] = True
    logits = F.one_hot((cohort.labels + wrong) % 2, 2).float()
    (found,) = preflight(wrapped(Net()), cohort, logits)
    assert found.check == "accuracy"
    assert (
        "70.0 % (60.4-78.1) of 100 images, not shown to be above the 90.0 % of always answering a"
        in (found.message)
    )
    assert "balanced accuracy 83.3 %" in found.message


def test_classes_in_another_order_are_named_in_theirs() -> None:
    levels = torch.tensor([0.2, 0.5, 0.8])[:, None].expand(3, 3)
    cohort = coloured((40, 40, 40), levels)

    class Three(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            z = brightness(images)
            # The outputs stand for the middle, the bright and the dark.
            return torch.stack([-z.square(), -z.sub(6).square(), -z.add(6).square()], 1)

    findings = preflight(wrapped(Three(), names=("a", "b", "c")), cohort)
    order = next(f for f in findings if f.check == "class-order")
    assert (
        "in the order b, c, a the accuracy would be 100 % (94.0-100) of 60 images" in order.message
    )
    assert "instead of 0 % (0-6.0) of 60" in order.message
    mended = wrapped(Three(), names=("b", "c", "a"))
    labels = torch.tensor([2, 0, 1])[cohort.labels]
    assert preflight(mended, Cohort(cohort.images, labels, ("b", "c", "a"))) == ()


class Tuned(nn.Module):
    """Says class b where the mean colour, in the unit it learned, is near that of b."""

    def __init__(self, learned: Normalisation) -> None:
        super().__init__()
        learned = learned.of_channels(3)
        mean, self.std = torch.tensor(learned.mean), torch.tensor(learned.std)
        centre = (COLOURS[1] - mean) / self.std
        self.centre = centre.flip(0) if learned.bgr else centre

    def forward(self, images: Tensor) -> Tensor:
        distance = (images.mean((2, 3)) - self.centre) * self.std
        z = 1 - (distance / 0.05).square().sum(1)
        return torch.stack([-z, z], 1)


BGR = Normalisation("the channels in the order BGR", HALF.mean, HALF.std, bgr=True)


@pytest.mark.parametrize("learned", [*USUAL, BGR], ids=lambda item: item.name)
def test_another_normalisation_is_named(learned: Normalisation) -> None:
    given = USUAL[0] if learned is HALF else HALF
    cohort = coloured((60, 60))
    warnings = preflight(wrapped(Tuned(learned), given), cohort)
    assert [f.check for f in warnings] == ["constant", "accuracy", "normalisation"]
    assert f"With {learned.name} the accuracy would be 100 % (96.3-100) of 100" in (
        warnings[2].message
    )
    assert "instead of 50.0 % (40.4-59.6) of 100 images" in warnings[2].message
    if not learned.bgr:
        said = warnings[2].message.split("--mean ")[1].rstrip(".").replace("--std ", "").split()
        mean_std = [*learned.of_channels(3).mean, *learned.of_channels(3).std]
        assert [float(x) for x in said] == pytest.approx(mean_std, rel=1e-5)
        assert preflight(wrapped(Tuned(learned), learned), cohort) == ()


def test_no_normalisation_is_named_where_none_is_clearly_better() -> None:
    """Poor whatever is done to the images; and wrong in all, where a constant would be half right."""
    poor = found(Net(lambda z: torch.sin(1e4 * z)))
    assert [f.check for f in poor] == ["accuracy"]
    swapped = found(Net(lambda z: -z))
    assert [f.check for f in swapped] == ["accuracy", "class-order"]


def test_images_alternate_between_the_classes() -> None:
    labels = torch.tensor([0] * 50 + [1] * 5 + [2] * 20)
    order = alternating(labels)
    assert sorted(order.tolist()) == list(range(75))
    for start in range(0, 15, 3):
        assert sorted(labels[order[start : start + 3]].tolist()) == [0, 1, 2]
    assert labels[order[15:45]].bincount().tolist() == [15, 0, 15]


PLAN = Plan(norm="linf", eps=8 / LEVELS, methods=(Gradient(steps=2, batch_size=4),))


class Listener(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_warnings_go_with_the_audit_and_errors_come_in_its_place(tmp_path: Path) -> None:
    cohort, photographs = coloured((30, 30)), coloured((5, 5), seed=1).images
    wrong = wrapped(Tuned(HALF), USUAL[0])
    listener = Listener()
    audit = run(PLAN, wrong, photographs, cohort, tmp_path, tracker=listener)
    assert audit.preflight == preflight(wrong, cohort)
    assert audit.preflight is not None
    assert listener.lines == [f"preflight, {f.level}: {f.message}" for f in audit.preflight]
    assert load_audit(tmp_path).preflight == audit.preflight
    page = write_report(tmp_path).read_text()
    assert "Found before any attack" in page
    assert "With images from -1 to 1 the accuracy would be" in page
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    random = wrapped(Net(lambda z: F.dropout(z.detach(), 0.3)))
    with pytest.raises(InputError, match=r"get other outputs.*No gradient reaches"):
        run(PLAN, random, photographs, cohort, tmp_path, force=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    with pytest.raises(InputError, match="get other outputs"):
        run(PLAN, random, photographs, cohort, tmp_path / "new")
    assert not any((tmp_path / "new").iterdir())


def test_an_audit_that_did_not_look_is_still_read_and_shown(tmp_path: Path) -> None:
    cohort, photographs = coloured((30, 30)), coloured((5, 5), seed=1).images
    run(PLAN, wrapped(Tuned(HALF), USUAL[0]), photographs, cohort, tmp_path)
    file = tmp_path / "audit.json"
    data = json.loads(file.read_text())
    older = copy.deepcopy(data)
    del older["preflight"]
    file.write_text(json.dumps(older))
    assert load_audit(tmp_path).preflight is None
    assert json.loads(json.dumps(load_audit(tmp_path).to_json())) == older
    page = write_report(tmp_path).read_text()
    assert "Preflight" not in page
    assert "Weak classifier" in page  # as it said then
    data["preflight"][0]["level"] = "error"
    file.write_text(json.dumps(data))
    with pytest.raises(InputError, match="at preflight/0/level"):
        load_audit(tmp_path)
