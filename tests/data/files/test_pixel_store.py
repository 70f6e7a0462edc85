"""The memory that decoded images take."""

import gc
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_folders import write_picture
from straylight.cohort.load import load_cohort


def resident(kind: str) -> int:
    """Bytes that this process holds (VmRSS), or has held at most (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{kind}:")[1].split()[0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_memory_a_cohort_takes_its_pixels(tmp_path: Path, kind: str) -> None:
    """Of 300 images, 56 MiB: the peak of the process rises by no more than a fifth above it."""
    n, large = 300, tmp_path / "large"
    if kind == "folder":
        Image.new("RGB", (256, 256), (1, 2, 3)).save(write_picture(large / "A" / "0.png"))
        for number in range(1, n):
            os.link(large / "A" / "0.png", large / "A" / f"{number}.png")
    else:
        large = tmp_path / "large.npz"
        np.savez(large, images=np.ones((n, 256, 256, 3), np.uint8), labels=np.zeros(n, int))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is the present
    before = resident("VmRSS")
    images = load_cohort(large, (3, 256, 256)).images
    assert (resident("VmHWM") - before) / images.stored.numel() < 1.2
