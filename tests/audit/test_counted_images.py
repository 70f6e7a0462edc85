"""Images that an attack looks at are counted, and it gets copies of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import straylight
from shades import SHAPE, brightness, cohort_of, quick
from straylight import Classifier, ImageSet, Snapshot
from straylight.attacks.ball import Ball
from straylight.attacks.gradient import Gradient
from straylight.audit.counted_images import CountedImages
from straylight.core.progress import Silent
from straylight.data.images import CopiedImages
from straylight.data.photographs.pixel_file import map_pixels


class Vandal:
    """Writes into every photograph that it can reach."""

    threat_model = "T1"
    takes_target = False

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return n_photographs

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        part = photographs.subset(torch.arange(len(photographs)))
        for images in (photographs, part):
            images.images(slice(None)).zero_()
            for pixels in (images.pixels, images.pixels_at(slice(0, 9)), images.stored):
                pixels.fill_(7)
                pixels.numpy()[:] = 9
        for batch in photographs.batches(4):
            batch.zero_()
        yield Snapshot(ball.scale(torch.ones(1, *photographs.shape)), len(photographs))


@pytest.mark.parametrize("where", ["memory", "file"])
def test_an_own_attack_cannot_spoil_the_photographs_of_the_next(where: str, tmp_path: Path) -> None:
    pixels = torch.randint(0, 256, (40, *SHAPE), dtype=torch.uint8)
    np.save(tmp_path / "pixels.npy", pixels.numpy())
    stored = map_pixels(tmp_path / "pixels.npy") if where == "file" else pixels.clone()
    photographs = ImageSet(stored, "random")
    parts = brightness(), photographs, cohort_of()
    alone = straylight.run(quick(), *parts, tmp_path / "alone", tracker=Silent())
    methods = (Vandal(), Gradient(steps=2, batch_size=4))
    both = straylight.run(quick(methods=methods), *parts, tmp_path / "both", tracker=Silent())
    assert torch.equal(photographs.stored, pixels)
    assert both.perturbations[0].n_distinct_seen == 40
    assert both.perturbations[1].sha256 == alone.perturbations[0].sha256


def test_copies_are_the_same_images() -> None:
    pixels = torch.arange(5 * 64, dtype=torch.int64).to(torch.uint8).view(5, *SHAPE)
    whole = ImageSet(pixels, "five")
    some = whole.subset(torch.tensor([4, 1, 3]))
    for images in (whole, some):
        looks = CountedImages.wrap(images)
        copies = CopiedImages(looks)
        assert (len(copies), copies.shape, copies.sha256) == (len(images), SHAPE, images.sha256)
        assert torch.equal(copies.subset(torch.tensor([2])).pixels, images.pixels[2:3])
        assert torch.equal(copies.stored, images.pixels)
        assert looks.n_distinct == len(images)
        assert copies.mean_norm("l2") == images.mean_norm("l2")
