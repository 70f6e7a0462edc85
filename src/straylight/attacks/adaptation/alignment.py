"""A classifier that sees photographs as if they were its own images, layer by layer."""

import copy
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import ClassVar

import torch
from torch import Tensor, nn

from straylight.attacks.adaptation.statistics import remembered, running
from straylight.core.tensors import Images, Logits
from straylight.models.classifier import Classifier

# Sees a batch norm and its inputs, and returns what shall enter it.
Change = Callable[[nn.BatchNorm2d, tuple[Tensor, ...]], Tensor]

STEEPEST = (
    10.0  # of the scale of a channel, either way: one that surrogates do not excite stays dark
)


class Aligned(Classifier):
    r"""Brings what photographs look like to each batch norm to the statistics that it remembers.

    A `Style` brings pixels near to the classifier's own images; what is left of the difference grows from
    layer to layer. Here each channel that enters a batch norm is scaled and shifted to the running mean
    :math:`\mu` and deviation :math:`\sigma`, from the mean :math:`m` and deviation :math:`s` that
    surrogates have there. What a perturbation adds is left as large as it is:

    .. math:: u'(x) = \tfrac{\sigma}{s} \bigl(u(x) - m\bigr) + \mu, \qquad
              u'(x, \delta) = u'(x) + u(x + \delta) - u(x),

    so that :math:`\delta` meets the classifier's own gains, on features that are spread as those of its
    own images. AdaBN (Li et al. 2016, https://arxiv.org/abs/1603.04779) matches the same statistics the
    other way round, by changing the network: that changes its gains too.

    It is the attacker's means of learning: perturbations are scored on the classifier itself.

    Args:
        classifier: With its batch norms, not folded; it is copied.
        surrogates: What an attack learns on; their statistics are taken in one pass, each layer's behind
            those before it as they are aligned.
    """

    passes_per_step: ClassVar[int] = 3

    def __init__(self, classifier: Classifier, surrogates: Images) -> None:
        super().__init__(
            copy.deepcopy(classifier.network),
            shape=classifier.shape,
            class_names=classifier.class_names,
            mean=tuple(classifier.mean.flatten().tolist()),
            std=tuple(classifier.std.flatten().tolist()),
            spec=f"{classifier.spec}, aligned",
            layout=classifier.layout,
        )
        self.maps: list[tuple[Tensor, Tensor]] = []  # scale and offset, in the order of the calls

        def measure(norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> Tensor:
            self.maps.append(alignment(norm, inputs[0]))
            return align(inputs[0], *self.maps[-1])

        with torch.no_grad(), watch(classifier, measure):
            classifier(surrogates)

    def forward(self, images: Images) -> Logits:
        maps = iter(self.maps)
        with watch(self, lambda _, inputs: align(inputs[0], *next(maps))):
            return super().forward(images)

    def attacked(self, images: Images, clean: Images) -> Logits:
        maps, shifts = iter(self.maps), deque[Tensor]()

        def remember(_: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> Tensor:
            aligned = align(inputs[0], *next(maps))
            shifts.append(aligned - inputs[0])
            return aligned

        with torch.no_grad(), watch(self, remember):
            super().forward(clean)
        with watch(self, lambda _, inputs: inputs[0] + shifts.popleft()):
            return super().forward(images)


def watch(classifier: Classifier, change: Change) -> ExitStack:
    """Let `change` replace the input of each batch norm while the context is open."""
    stack = ExitStack()
    for norm in remembered(classifier):
        stack.enter_context(norm.register_forward_pre_hook(change))
    return stack


def alignment(norm: nn.BatchNorm2d, features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scale and offset that bring each channel of `features` to what `norm` remembers."""
    variance, mean = torch.var_mean(features, dim=(0, 2, 3), correction=0, keepdim=True)
    expected_mean, expected = (part.view(mean.shape) for part in running(norm))
    scale = (expected / (variance + norm.eps)).sqrt().clamp(1 / STEEPEST, STEEPEST)
    return scale, expected_mean - scale * mean


def align(features: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """Scale and shift each channel."""
    return features * scale + offset
