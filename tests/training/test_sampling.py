"""The validation part, and oversampling."""

import pytest
import torch

from straylight.core.errors import InputError
from straylight.training.sampling import oversample_rare_classes, split_train_validation


def test_validation_is_apart_and_of_every_class() -> None:
    labels = torch.tensor([0] * 50 + [1] * 7 + [2] * 2)
    train, validation = split_train_validation(labels, 0.1, seed=3)
    assert sorted([*train.tolist(), *validation.tolist()]) == list(range(59))
    assert labels[validation].bincount().tolist() == [5, 1, 1]
    assert torch.equal(train, split_train_validation(labels, 0.1, seed=3)[0])
    with pytest.raises(InputError, match="class number 1 has one image"):
        split_train_validation(torch.tensor([0, 0, 1]), 0.1, seed=0)


def test_oversampling_makes_all_classes_as_large_as_the_largest() -> None:
    labels = torch.tensor([2] * 3 + [0] * 50 + [1] * 7)
    pool = oversample_rare_classes(labels, seed=5)
    assert labels[pool].bincount().tolist() == [50, 50, 50]
    times = pool.bincount(minlength=60)
    assert times[labels == 0].tolist() == [1] * 50
    assert int(times.min()) == 1
    assert torch.equal(pool, oversample_rare_classes(labels, seed=5))
    assert not torch.equal(pool, oversample_rare_classes(labels, seed=6))


def test_classes_of_one_size_are_left_as_they_are() -> None:
    labels = torch.tensor([0, 1, 1, 0])
    assert oversample_rare_classes(labels, seed=0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_no_class_is_without_a_training_image(share: float) -> None:
    labels = torch.tensor([0] * 40 + [1] * 2)
    train, validation = split_train_validation(labels, share, seed=0)
    assert labels[train].bincount()[1] == labels[validation].bincount()[1] == 1
    assert len(validation) == {0.01: 1, 0.5: 20, 0.99: 39}[share] + 1
