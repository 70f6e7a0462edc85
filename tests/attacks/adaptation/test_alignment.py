"""Features aligned to a classifier's batch norms: against closed forms."""

import pytest
import torch
from torch import Tensor, nn

from oracles import as_classifier, grey_photographs
from straylight.attacks.adaptation.adapt import Adaptation
from straylight.attacks.adaptation.alignment import LARGEST_SCALE, AlignedClassifier, fit_alignment
from straylight.attacks.auto import Auto
from straylight.attacks.ball import Ball
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from straylight.models.pass_counter import count_passes

SHAPE = (3, 8, 8)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Seen(nn.BatchNorm2d):
    """A batch norm that keeps what entered it last."""

    def forward(self, features: Tensor) -> Tensor:
        self.last = features.detach()
        return super().forward(features)


class Layers(nn.Module):
    """Two convolutions with batch norms, and a rectifier between them."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            *(nn.Conv2d(3, 6, 3), Seen(6), nn.ReLU(), nn.Conv2d(6, 5, 3), Seen(5)),
        )
        self.head = nn.Linear(5, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(images).mean((2, 3)))
        return logits


def remembering(seed: int = 1) -> Classifier:
    """Make a classifier whose batch norms remember something else than photographs."""
    network = Layers()
    for norm in (network.body[1], network.body[4]):
        norm.running_mean.copy_(torch.randn(norm.num_features, generator=rng(seed)))
        norm.running_var.copy_(0.01 + 0.1 * torch.rand(norm.num_features, generator=rng(seed)))
    return as_classifier(network, SHAPE, 3)


@pytest.fixture
def adapted() -> ImageSet:
    return grey_photographs(40, SHAPE)


def test_each_layer_sees_adapted_images_as_it_remembers_its_own(adapted: ImageSet) -> None:
    images = adapted.images(slice(None))
    aligned = AlignedClassifier(remembering(), images)
    aligned(images)
    for norm in (aligned.network.body[1], aligned.network.body[4]):
        variance, mean = torch.var_mean(norm.last, (0, 2, 3), correction=0)
        torch.testing.assert_close(mean, norm.running_mean, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(variance, norm.running_var, atol=0, rtol=2e-2)  # the layer's eps


def test_what_a_perturbation_adds_meets_the_gains_of_the_classifier(adapted: ImageSet) -> None:
    """On a network that is linear in its pixels the same logits are added, to the last digit but few."""

    class Straight(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)
            self.norm.running_mean.copy_(torch.tensor([0.7, 0.5, 0.3]))
            self.norm.running_var.fill_(0.004)

        def forward(self, images: Tensor) -> Tensor:
            return self.norm(images).mean((2, 3))

    classifier = as_classifier(Straight(), SHAPE, 3)
    images = adapted.images(slice(None))
    delta = 0.02 * torch.randn(1, *SHAPE, generator=rng())
    aligned = AlignedClassifier(classifier, images)
    added = aligned.attack_logits(images + delta, images) - aligned(images)
    expected = classifier(images + delta) - classifier(images)
    torch.testing.assert_close(added, expected, atol=1e-4, rtol=1e-4)
    assert float((aligned(images) - classifier(images)).abs().max()) > 1


def test_without_a_perturbation_attacked_images_are_clean_ones(adapted: ImageSet) -> None:
    images = adapted.images(slice(None))
    aligned = AlignedClassifier(remembering(), images)
    torch.testing.assert_close(aligned.attack_logits(images, images), aligned(images))


def test_adapted_images_that_are_as_remembered_are_left_alone(adapted: ImageSet) -> None:
    """Against torch's own running statistics, taken over one whole batch."""
    network, images = Layers(), adapted.images(slice(None))
    for norm in (network.body[1], network.body[4]):
        norm.momentum = 1.0
    network.train()(images)
    count = 40 * 6 * 6 / (40 * 6 * 6 - 1), 40 * 4 * 4 / (40 * 4 * 4 - 1)
    for norm, unbiased in zip((network.body[1], network.body[4]), count, strict=True):
        norm.running_var /= unbiased
    classifier = as_classifier(network, SHAPE, 3)
    aligned = AlignedClassifier(classifier, images)
    attacked = (images + 0.05 * torch.randn(1, *SHAPE, generator=rng())).clamp(0, 1)
    torch.testing.assert_close(aligned(images), classifier(images), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        aligned.attack_logits(attacked, images), classifier(attacked), atol=1e-4, rtol=1e-4
    )


def test_a_channel_that_adapted_images_do_not_excite_is_not_amplified_without_end() -> None:
    norm = nn.BatchNorm2d(2)
    features = torch.zeros(4, 2, 3, 3)
    scale, offset = fit_alignment(norm, features)
    assert scale.flatten().tolist() == [LARGEST_SCALE] * 2
    assert offset.flatten().tolist() == [0.0, 0.0]


def test_the_classifier_itself_is_left_as_it_was(adapted: ImageSet) -> None:
    classifier, images = remembering(), adapted.images(slice(None))
    before = classifier(images)
    aligned = AlignedClassifier(classifier, images)
    aligned(images)
    assert torch.equal(classifier(images), before)
    assert not any(module._forward_pre_hooks for module in classifier.modules())
    assert not any(module._forward_pre_hooks for module in aligned.modules())


def test_a_step_costs_what_it_says(adapted: ImageSet) -> None:
    images = adapted.images(slice(0, 7))
    aligned = AlignedClassifier(remembering(), images)
    delta = torch.zeros(1, *SHAPE, requires_grad=True)
    with count_passes(aligned) as passes:
        torch.autograd.grad(aligned.attack_logits(images + delta, images).sum(), delta)
    assert passes.total == AlignedClassifier.passes_per_step * 7
    assert passes.backward == 7


def test_auto_keeps_to_its_passes_on_aligned_features(adapted: ImageSet) -> None:
    aligned = AlignedClassifier(remembering(), adapted.images(slice(None)))
    attack = Auto(image_passes=2000, batch_size=8)
    with count_passes(aligned) as passes:
        *_, last = attack(aligned, adapted, Ball("l2", 0.5), target=None, generator=rng())
    planned = attack.planned(40, 3, AlignedClassifier.passes_per_step)
    assert last.images_seen == planned == passes.backward
    assert 1700 < passes.total <= 2000


def test_gradients_through_a_veil_are_those_of_the_images_behind_it(adapted: ImageSet) -> None:
    """The adapted images are the own images of the classifier, darker and of a quarter of their contrast.

    So the same rectifiers are open, and the gradient of the perturbation is the same; on the classifier
    as it is, it is another one.
    """
    own = adapted.images(slice(None))
    network = Layers()
    for norm in (network.body[1], network.body[4]):
        norm.momentum = 1.0
    network.train()(own)
    classifier = as_classifier(network, SHAPE, 3)
    veiled = 0.2 + own / 4
    aligned = AlignedClassifier(classifier, veiled)

    def gradient(model: Classifier, images: Tensor) -> Tensor:
        delta = torch.zeros(1, *SHAPE, requires_grad=True)
        logits = model.attack_logits(images + delta, images)
        (found,) = torch.autograd.grad(logits[:, 0].sum(), delta)
        return found

    expected = gradient(classifier, own)
    error = (gradient(aligned, veiled) - expected).norm() / expected.norm()
    untreated = (gradient(classifier, veiled) - expected).norm() / expected.norm()
    assert float(error) < 0.02
    assert float(untreated) > 0.2


def test_adaptation_aligns_where_there_are_batch_norms(adapted: ImageSet) -> None:
    settings = Adaptation(n=30, steps=2, batch_size=4)
    found = settings(remembering(), adapted, generator=rng())
    assert found.classifier is not None
    plain = Adaptation(n=30, steps=2, batch_size=4, alignment=0)
    assert plain(remembering(), adapted, generator=rng()).classifier is None
    none = as_classifier(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), SHAPE, 3)
    assert settings(none, adapted, generator=rng()).classifier is None
    assert [settings.cost(c) for c in (remembering(), none)] == [3, 2]
    assert plain.cost(remembering()) == 2
