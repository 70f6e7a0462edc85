"""Sampling of training images: the validation part, and what an epoch draws from the rest."""

import torch
from torch import Tensor

from straylight.core.errors import InputError
from straylight.core.tensors import Labels


def split_train_validation(labels: Labels, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split indices into training and validation, with the same share of each class, at least one."""
    generator = torch.Generator().manual_seed(seed)
    train, validation = [], []
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        if len(members) == 1:
            raise InputError(
                f"class number {label} has one image: at least two are needed to train."
            )
        if len(members) == 0:
            continue
        members = members[torch.randperm(len(members), generator=generator)]
        cut = min(max(1, round(share * len(members))), len(members) - 1)
        validation.append(members[:cut])
        train.append(members[cut:])
    return torch.cat(train), torch.cat(validation)


def oversample_rare_classes(labels: Labels, seed: int) -> Tensor:
    """Return the index of every image, and repeat the rarer classes until all classes are equally large.

    The repeats are drawn with replacement, once for a training, as by imbalanced-learn's
    `RandomOverSampler`, which the paper used.
    """
    generator = torch.Generator().manual_seed(seed)
    largest = int(labels.bincount().max())
    pool = [torch.arange(len(labels))]
    for label in sorted(set(labels.tolist())):
        members = (labels == label).nonzero().flatten()
        copies = torch.randint(len(members), (largest - len(members),), generator=generator)
        pool.append(members[copies])
    return torch.cat(pool)


def draw_balanced(labels: Labels, n: int, generator: torch.Generator) -> Tensor:
    """Draw `n` indices with replacement, each class as likely as any other."""
    weights = 1.0 / labels.bincount()[labels]
    return torch.multinomial(weights.double(), n, True, generator=generator)
