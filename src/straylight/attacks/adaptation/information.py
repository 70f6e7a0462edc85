"""Information-maximisation loss: each image decided, all classes alike."""

import math

import torch

from straylight.core.tensors import Logits


def information_loss(logits: Logits) -> torch.Tensor:
    r"""Return how far a batch is from decided predictions, equally many for each class; a scalar.

    .. math:: \frac{1}{n} \sum_i H(p_i) + \log K - H\Bigl(\frac{1}{n} \sum_i p_i\Bigr)

    with the softmax outputs :math:`p_i` of :math:`K` classes and their entropy :math:`H`: the
    information-maximisation loss of Krause et al. 2010 and of Liang et al. 2020 (SHOT),
    https://arxiv.org/abs/2002.08546. In nats; 0 for equally many decided images of each class.

    >>> round(information_loss(torch.tensor([[100.0, 0.0], [0.0, 100.0]])).item(), 4)
    0.0
    >>> round(information_loss(torch.zeros(3, 4)).item(), 4) == round(math.log(4), 4)
    True
    """
    log_p = torch.log_softmax(logits, 1)
    mean = log_p.exp().mean(0)
    unsure = -(log_p.exp() * log_p).sum(1).mean()
    uneven = math.log(logits.shape[1]) + torch.special.xlogy(mean, mean).sum()
    distance: torch.Tensor = unsure + uneven
    return distance
