"""Image sets: digests, batches and subsets."""

import hashlib

import torch

from straylight.data.images import ImageSet


def test_batches_cover_all_and_the_digest_sees_the_shape() -> None:
    images = ImageSet(torch.arange(5 * 12, dtype=torch.uint8).view(5, 1, 3, 4), "x")
    assert [len(batch) for batch in images.batches(2)] == [2, 2, 1]
    assert torch.equal(torch.cat(list(images.batches(2))) * 255, images.pixels.float())
    assert images.sha256 != ImageSet(images.pixels.view(5, 1, 4, 3), "x").sha256


def test_the_digest_is_that_of_recorded_audits() -> None:
    """Of the shape as Python writes it, and all bytes at once, as before images were read in parts."""
    pixels = torch.randint(0, 256, (600, 3, 5, 4), dtype=torch.uint8)
    whole = b"(600, 3, 5, 4)" + pixels.numpy().tobytes()
    assert ImageSet(pixels, "x").sha256 == hashlib.sha256(whole).hexdigest()


def test_a_subset_is_what_indexing_gives() -> None:
    pixels = torch.randint(0, 256, (40, 3, 5, 4), dtype=torch.uint8)
    order = torch.randperm(40)
    chosen, again = order[:30], torch.tensor([29, 3, 3, 0])
    found = ImageSet(pixels, "x").subset(chosen)
    assert (len(found), found.shape, found.stored.data_ptr()) == (30, (3, 5, 4), pixels.data_ptr())
    for images, expected in [
        (found, pixels[chosen]),
        (found.subset(again), pixels[chosen][again]),
    ]:
        assert torch.equal(images.pixels, expected)
        assert images.sha256 == ImageSet(expected, "y").sha256
        assert images.digests() == ImageSet(expected, "y").digests()
        assert torch.equal(torch.cat(list(images.batches(7))), expected.float() / 255)
        assert torch.equal(images.images(torch.tensor([2, 1])), expected[[2, 1]].float() / 255)
        assert images.mean_norm("l2") == ImageSet(expected, "y").mean_norm("l2")
