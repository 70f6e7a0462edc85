"""Uniform images are counted; a few of them are a note, many a warning."""

import pytest
import torch

from straylight.data.images import ImageSet
from straylight.evaluation.preflight.images import check_images


@pytest.mark.parametrize(("n_uniform", "level"), [(0, None), (3, "note"), (4, "warning")])
def test_uniform_images_are_counted(n_uniform: int, level: str | None) -> None:
    """One pixel tells an image from a uniform one, wherever it is; 1 % of the images is the limit."""
    pixels = torch.full((300, 3, 20, 20), 7, dtype=torch.uint8)
    others = torch.arange(n_uniform, 300)
    pixels[others, :, others % 20, others // 20] = 8
    results = list(check_images(ImageSet(pixels, "cohort")))
    if level is None:
        assert results == []
    else:
        (result,) = results
        assert (result.level, result.check) == (level, "images")
        assert result.message.startswith(f"{n_uniform} of 300 images have one value in all pixels")
