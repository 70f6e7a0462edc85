"""Align a classifier's features for photographs to those for its own images, layer by layer."""

import copy
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import ClassVar

import torch
from torch import Tensor, nn

from straylight.attacks.adaptation.statistics import list_batch_norms, running_moments
from straylight.core.tensors import Images, Logits
from straylight.models.classifier import Classifier

# Gets a batch norm and its inputs, and returns the input to use instead.
InputChange = Callable[[nn.BatchNorm2d, tuple[Tensor, ...]], Tensor]

# A channel's scale changes at most by this factor: one that photographs do not excite stays dark.
LARGEST_SCALE = 10.0


class AlignedClassifier(Classifier):
    r"""A classifier whose features for photographs have the statistics that its batch norms keep.

    A `StyleTransform` makes pixels similar to the classifier's own images; the difference that is left
    grows from layer to layer. Here each channel that enters a batch norm is scaled and shifted to the
    running mean :math:`\mu` and deviation :math:`\sigma`, from the mean :math:`m` and deviation
    :math:`s` of the adapted photographs there. What a perturbation adds keeps its size:

    .. math:: u'(x) = \tfrac{\sigma}{s} \bigl(u(x) - m\bigr) + \mu, \qquad
              u'(x, \delta) = u'(x) + u(x + \delta) - u(x),

    so that :math:`\delta` meets the classifier's own gains, on features distributed as for its own
    images. AdaBN (Li et al. 2016, https://arxiv.org/abs/1603.04779) matches the same statistics the
    other way round, by changing the network: that changes its gains too.

    Attacks learn on it; perturbations are scored on the classifier itself.

    Args:
        classifier: The classifier with its batch norms, not folded; it is copied.
        adapted: Adapted photographs. Their statistics are measured in one pass: for each layer behind
            the layers before it, already aligned.
    """

    passes_per_step: ClassVar[int] = 3

    def __init__(self, classifier: Classifier, adapted: Images) -> None:
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
            self.maps.append(fit_alignment(norm, inputs[0]))
            return _scale_and_shift(inputs[0], *self.maps[-1])

        with torch.no_grad(), replace_inputs(classifier, measure):
            classifier(adapted)

    def forward(self, images: Images) -> Logits:
        maps = iter(self.maps)
        with replace_inputs(self, lambda _, inputs: _scale_and_shift(inputs[0], *next(maps))):
            return super().forward(images)

    def attack_logits(self, images: Images, clean: Images) -> Logits:
        maps, shifts = iter(self.maps), deque[Tensor]()

        def record_shift(_: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> Tensor:
            aligned = _scale_and_shift(inputs[0], *next(maps))
            shifts.append(aligned - inputs[0])
            return aligned

        with torch.no_grad(), replace_inputs(self, record_shift):
            super().forward(clean)
        with replace_inputs(self, lambda _, inputs: inputs[0] + shifts.popleft()):
            return super().forward(images)


def replace_inputs(classifier: Classifier, change: InputChange) -> ExitStack:
    """Replace the input of each batch norm by `change` while the context is open."""
    stack = ExitStack()
    for norm in list_batch_norms(classifier):
        stack.enter_context(norm.register_forward_pre_hook(change))
    return stack


def fit_alignment(norm: nn.BatchNorm2d, features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scale and offset that give each channel of `features` the moments that `norm` keeps."""
    variance, mean = torch.var_mean(features, dim=(0, 2, 3), correction=0, keepdim=True)
    expected_mean, expected = (part.view(mean.shape) for part in running_moments(norm))
    scale = (expected / (variance + norm.eps)).sqrt().clamp(1 / LARGEST_SCALE, LARGEST_SCALE)
    return scale, expected_mean - scale * mean


def _scale_and_shift(features: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """Scale and shift each channel."""
    return features * scale + offset
