"""What the tests of the commands share."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import straylight


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model, photographs and a cohort, made by the commands themselves."""
    root = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    for label, level in (("dark", 90), ("light", 130)):
        (root / "medical" / label).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(level - 30, level + 30, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "medical" / label / f"{number}.png")
    (root / "photos" / "deep").mkdir(parents=True)
    for number in range(9):
        pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "photos" / "deep" / f"{number}.jpg")
    straylight(
        "finetune", "--data", root / "medical", "--backbone", "test_resnet", "--weights", "none",
        "--size", 32, "--epochs", 2, "--batch-size", 8, "--out", root / "model",
    )  # fmt: skip
    return root
