"""Photographs that are medical images."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from image_folders import TINY_SHAPE, write_files
from straylight.audit.plan import Plan
from straylight.audit.run import run
from straylight.cohort.load import load_cohort
from straylight.cohort.overlap import check_no_overlap
from straylight.core.errors import InputError
from straylight.data.photographs.load import load_natural
from straylight.models.classifier import Classifier


class Brightness(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        level = x.mean((1, 2, 3))
        return torch.stack([-level, level - 1], 1)


def test_first_time_user_4_a_medical_image_is_no_photograph(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("dark", "light"):
        for number in range(3):
            (tmp_path / "c" / name).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "c" / name / f"{number}.png")
    cohort = load_cohort(tmp_path / "c", TINY_SHAPE)
    classifier = Classifier(
        Brightness(),
        shape=TINY_SHAPE,
        class_names=cohort.class_names,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
    )
    # Another container, another format: the pixels are the same.
    np.save(tmp_path / "p.npy", cohort.images.pixels[2:4].numpy())
    photographs = load_natural(tmp_path / "p.npy", TINY_SHAPE)
    drawn = load_natural("builtin:noise", TINY_SHAPE, n=4)
    plan = Plan(zeta=0.1)
    for given, training, message in (
        (photographs, None, "2 images of .*p.npy are also in .*c:"),
        (drawn, drawn, "4 images of builtin:noise are also in builtin:noise"),
    ):
        with pytest.raises(InputError, match=message):
            run(plan, classifier, given, cohort, tmp_path / "out", training=training)
    assert not (tmp_path / "out").exists()


def test_one_file_shown_in_two_ways_is_no_photograph(tmp_path: Path) -> None:
    values = np.linspace(1000, 3000, 64).reshape(8, 8).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    photos = write_files(tmp_path / "photos", {"x.png": stream.getvalue()})
    cohort = load_cohort(write_files(tmp_path / "in", {"A/y.png": stream.getvalue()}), TINY_SHAPE)
    for kept in (True, True, False):  # written to the cache, read from it, and without
        photographs = load_natural(photos, TINY_SHAPE, cache=kept)
        assert not photographs.digests() & cohort.images.digests()
        with pytest.raises(InputError, match=r"1 images of .* are also in .*: natural"):
            check_no_overlap(photographs, cohort.images.subset(torch.tensor([0])))
