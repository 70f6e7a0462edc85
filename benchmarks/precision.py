"""Measure the time of one training step, float32 against bfloat16, on one core.

Both take turns in one process and CPU time is measured, so that other load on the machine matters
little; the ratio of the medians is printed:
`python benchmarks/precision.py mobilenetv2_100 torchvision:resnet50`.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from straylight.cohort.cohort import Cohort
from straylight.data.images import ImageSet
from straylight.training.epochs import Training
from straylight.training.finetune import initial_network
from straylight.training.recipe import RANDOM, Precision, Recipe


def make_training(backbone: str, size: int, batch_size: int, precision: Precision) -> Training:
    """Set up a training on noise: its steps cost the same as any other."""
    pixels = torch.randint(0, 256, (2 * batch_size, 3, size, size), dtype=torch.uint8)
    labels = torch.arange(2 * batch_size) % 2
    recipe = Recipe(
        backbone=backbone, weights=RANDOM, batch_size=batch_size, precision=precision, epochs=1000
    )
    everything = torch.arange(2 * batch_size)
    return Training(
        Cohort(ImageSet(pixels, "noise"), labels, ("a", "b")),
        recipe,
        train=everything,
        validation=everything,
        network=initial_network(recipe, 2).to(memory_format=torch.channels_last),
        out=Path(tempfile.gettempdir()),
    )


def time_step(run: Training) -> float:
    """Return the time of the second step of an epoch: the first includes the setup of the epoch."""
    first, second = (time.process_time() for _ in run.train_epoch())
    return second - first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backbones", nargs="+")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for backbone in options.backbones:
        kinds: tuple[Precision, Precision] = ("float32", "bfloat16")
        runs = [make_training(backbone, options.size, options.batch_size, kind) for kind in kinds]
        for run in runs:
            time_step(run)  # the first steps compile kernels
        rounds = [[time_step(run) for run in runs] for _ in range(options.rounds)]
        full, half = (statistics.median(times) for times in zip(*rounds, strict=True))
        print(f"{backbone}: {full:.2f} s : {half:.2f} s = {full / half:.2f}", flush=True)


if __name__ == "__main__":
    main()
