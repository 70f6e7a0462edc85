"""Reproduce the figure of the paper: the fooling rate of the loop against the number of photographs.

    python benchmarks/paper_curve.py --study runs/minagi2022-small --data ../shared/data --out runs/curves

For each cohort, the `sequential` attack of the study on the fine-tuned MobileNetV2 is run again and scored
on its way. Every point has the fooling rates on 1,000 medical training images (of the classifier; the
attack never sees them), on the medical test images and on the photographs themselves, each beside the rate
of a random direction of the same norm, as in the log that the authors of the paper released. The last point
must be bit-identical to the perturbation of the study, or the script stops.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from reproduction import find_main_audit
from straylight import Ball, Classifier, ImageSet, load_classifier, load_cohort, load_natural
from straylight.attacks.controls import RandomSphere
from straylight.attacks.sequential import Sequential
from straylight.audit.schema import Json
from straylight.audit.storage import load_audit
from straylight.core.malloc import keep_freed_memory
from straylight.core.tensors import Delta, Labels, quantize
from straylight.models.folding import fold_batch_norms

N_TRAIN = 1000
POINTS = (10, 20, 50, 100, 200, 500, 1000)
PARTS = {"skin": ("skin/train.csv", "skin/test.csv")} | {
    name: (f"{name}/train", f"{name}/test") for name in ("chest", "oct")
}


def count_fooled(classifier: Classifier, images: ImageSet, clean: Labels, delta: Delta) -> int:
    """Count the images whose prediction changes, clipped and rounded to 8 bits."""
    after = [classifier.predict(quantize(batch + delta)) for batch in images.batches(64)]
    return int((torch.cat(after) != clean).sum())


def run_curve(study: Path, data: Path, name: str) -> list[Json]:
    """Run the loop on one cohort, and score it at each of `POINTS`."""
    folder = study / "cells" / find_main_audit(study, name)
    audit = load_audit(folder)
    trained = json.loads((folder / "cell.json").read_text())["identity"]["trained"]
    classifier = fold_batch_norms(load_classifier(study / "cells" / trained))
    made = next(item for item in audit.perturbations if item.name == "sequential")
    train, test = (
        load_cohort(data / part, classifier.shape, classifier.class_names).images
        for part in PARTS[name]
    )
    train = train.subset(
        torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:N_TRAIN]
    )
    photographs = load_natural(data / "natural", classifier.shape, n=1000, seed=0)
    sets = {"train": train, "test": test, "photographs": photographs}
    clean = {key: classifier.predict_all(images) for key, images in sets.items()}
    attack = Sequential(step_size=made.method.settings["step_size"])
    ball = Ball("l2", audit.budget.eps)
    generator = torch.Generator().manual_seed(0)
    points: list[Json] = []
    snapshots = attack(classifier, photographs, ball, target=None, generator=generator)
    for delta, seen in snapshots:
        if seen not in POINTS:
            continue
        radius = ball.size(delta)
        noise = RandomSphere()(
            delta, Ball("l2", radius), generator=torch.Generator().manual_seed(seen)
        )
        points.append({"seen": seen, "l2": radius, "linf": float(delta.abs().max())})
        for key, images in sets.items():
            points[-1] |= {
                f"n_{key}": len(images),
                key: count_fooled(classifier, images, clean[key], delta),
                f"noise_{key}": count_fooled(classifier, images, clean[key], noise),
            }
        print(points[-1], flush=True)
    assert all(one["seen"] < other["seen"] for one, other in pairwise(points))
    if not np.array_equal(np.load(folder / made.file, allow_pickle=False), delta.numpy()):
        raise SystemExit(f"{name}: the loop does not end in the study's perturbation {made.file}")
    return points


def main() -> None:
    """Run the unfinished cohorts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    given.out.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        file = given.out / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps(run_curve(given.study, given.data, name), indent=1) + "\n")


if __name__ == "__main__":
    main()
