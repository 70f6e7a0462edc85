"""Batch-norm statistics: what a classifier keeps of its training images."""

from contextlib import ExitStack

import torch
from torch import Tensor, nn

from straylight.models.classifier import Classifier


class BatchNormMoments(ExitStack):
    """Moments of the inputs of a classifier's batch norms, recorded until the context is closed.

    In training each batch norm keeps a running mean and variance of every channel that enters it, and
    a published classifier contains them. They describe its images in its own features: the prior of
    DeepInversion (Yin et al. 2020, https://arxiv.org/abs/1912.08795).

    Args:
        classifier: Its batch norms must not be folded.
        layers: Number of batch norms to watch, from the first in the order of the network.
    """

    def __init__(self, classifier: Classifier, layers: int) -> None:
        super().__init__()
        classifier.layout  # noqa: B018 (its detection runs the network, unwatched)
        self.norms = list_batch_norms(classifier)[:layers]
        self.seen: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}
        for norm in self.norms:
            self.enter_context(norm.register_forward_pre_hook(self._record))

    def _record(self, norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        self.seen[norm] = mean, variance

    def distance(self) -> Tensor:
        r"""Return the distance of the last batch from the running moments; a scalar.

        .. math:: \frac{1}{L} \sum_l \operatorname{mean}_c \Bigl[
                  \frac{(m - \mu)^2}{\sigma^2} + \tfrac{1}{2} \bigl(\log v - \log \sigma^2\bigr)^2
                  \Bigr]

        with the batch's mean :math:`m` and variance :math:`v` of each channel, and the running ones.
        """
        parts = []
        for norm in self.norms:
            mean, variance = self.seen[norm]
            expected_mean, expected = running_moments(norm)
            shift = (mean - expected_mean).square() / expected
            stretch = ((variance + norm.eps) / expected).log().square() / 2
            parts.append((shift + stretch).mean())
        return torch.stack(parts).mean()


def list_batch_norms(classifier: Classifier) -> list[nn.BatchNorm2d]:
    """Return the batch norms that keep running statistics, in the order of the network."""
    norms = [module for module in classifier.modules() if isinstance(module, nn.BatchNorm2d)]
    return [norm for norm in norms if norm.running_mean is not None]


def running_moments(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the running mean and variance, the latter with the layer's own guard against zero."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var + norm.eps
