"""Measure the CPU seconds of loading photographs: decoded, with an empty cache, and from the cache.

    python benchmarks/loading.py --natural photos/ --size 128 --audit 100

    python benchmarks/loading.py --cohort 20000 --size 224

The second command measures the peak memory of a process that loads a cohort of so many images.

The share is relative to an audit of `--audit` seconds (the sum of the `seconds` in its `audit.json`).
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from straylight import load_cohort, load_natural
from straylight.data.files.selection import SETTLED
from straylight.data.photographs.cache import VARIABLE


def measure_loading(
    name: str, natural: str, size: int, audit: float, *, cache: bool = True
) -> None:
    """Load photographs once and print a line of a Markdown table."""
    cpu, wall = time.process_time(), time.perf_counter()
    n = len(load_natural(natural, (3, size, size), cache=cache))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"| {name} | {n} | {cpu:.2f} | {wall:.2f} | {100 * cpu / audit:.2f} % |", flush=True)


def measure_cohort(n: int, size: int) -> None:
    """Load a cohort of JPEG files, and print the peak memory of the process."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "A"
        root.mkdir()
        pixels = np.random.default_rng(0).integers(
            0, 256, (size // 8, size // 8, 3), dtype=np.uint8
        )
        Image.fromarray(pixels).resize((size, size)).save(root / "0.jpg")
        for number in range(1, n):
            os.link(root / "0.jpg", root / f"{number}.jpg")
        loaded = load_cohort(folder, (3, size, size)).images.stored.numel()
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{n:,} images: {loaded / 2**30:.2f} GiB of pixels, {peak / 2**30:.2f} GiB at most")


def main() -> None:
    """Measure with a temporary cache."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--natural")
    what.add_argument("--cohort", type=int, help="how many images")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--audit", type=float, default=100.0)
    given = parser.parse_args()
    if given.cohort is not None:
        measure_cohort(given.cohort, given.size)
        return
    time.sleep(SETTLED)
    print("| | photographs | CPU seconds | seconds | share of the audit |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = folder
        run = (given.natural, given.size, given.audit)
        measure_loading("decoded, without a cache", *run, cache=False)
        measure_loading("the first time, into the cache", *run)
        measure_loading("from the cache", *run)
        measure_loading("from the cache, once more", *run)


if __name__ == "__main__":
    main()
