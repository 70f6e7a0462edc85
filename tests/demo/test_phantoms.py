"""Synthetic skin lesions: balanced, reproducible, and not to be told apart by their colour."""

import numpy as np

from straylight.demo.phantoms import CLASS_NAMES, draw_phantoms


def test_phantoms_are_balanced_and_the_same_for_a_seed() -> None:
    images, labels = draw_phantoms(42, size=32, seed=3)
    assert images.shape == (42, 32, 32, 3)
    assert images.dtype == np.uint8
    assert sorted(np.bincount(labels)) == [10, 10, 11, 11]
    again, _ = draw_phantoms(42, size=32, seed=3)
    assert np.array_equal(images, again)
    assert not np.array_equal(images, draw_phantoms(42, size=32, seed=4)[0])


def test_phantoms_do_not_differ_by_their_mean_colour() -> None:
    """The class is in the structure: mean colours differ less between classes than within one."""
    images, labels = draw_phantoms(200, size=32, seed=0)
    colours = images.mean((1, 2))
    means = np.stack([colours[labels == label].mean(0) for label in range(len(CLASS_NAMES))])
    assert means.std(0).max() < colours.std(0).min()
