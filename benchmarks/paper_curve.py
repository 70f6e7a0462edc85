"""The paper's figure: what the loop fools while it goes over the photographs.

    python benchmarks/paper_curve.py --study runs/minagi2022-small --data ../shared/data --out runs/curves

For each cohort: the fine-tuned MobileNetV2 of the study, and the `sequential` attack of its audit, made
anew and stopped on its way. Every point has the fooling rates on 1,000 medical training images (the
classifier's; the attack never sees them), on the medical test images and on the photographs themselves,
each beside those of a random direction of the same norm, as in the log that the paper's authors released.
The last point is the study's perturbation, to the bit, or the script stops.
"""

import argparse
import json
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from straylight import Ball, Classifier, ImageSet, load_classifier, load_cohort, load_natural
from straylight.attacks.controls import RandomSphere
from straylight.attacks.sequential import Sequential
from straylight.audit.schema import Json
from straylight.audit.storage import load_audit
from straylight.core.malloc import keep_freed_memory
from straylight.core.tensors import Delta, Labels, as_received
from straylight.models.folding import fold

N_TRAIN = 1000
POINTS = (10, 20, 50, 100, 200, 500, 1000)
PARTS = {"skin": ("skin/train.csv", "skin/test.csv")} | {
    name: (f"{name}/train", f"{name}/test") for name in ("chest", "oct")
}
QUERY = """
SELECT cells.id FROM cells JOIN perturbations AS p ON p.cell = cells.id
WHERE cohort = ? AND model = 'mobilenetv2' AND initialisation = 'fine-tuned' AND norm = 'l2'
  AND photographs = 1000 AND seed = 0 AND p.method = 'sequential' AND p.target IS NULL
"""


def n_fooled(classifier: Classifier, images: ImageSet, clean: Labels, delta: Delta) -> int:
    """Count the images whose prediction changes, clipped and rounded to 8 bits."""
    after = [classifier.predict(as_received(batch + delta)) for batch in images.batches(64)]
    return int((torch.cat(after) != clean).sum())


def curve_of(study: Path, data: Path, name: str) -> list[Json]:
    """Run the loop on one cohort and score it on its way."""
    with closing(sqlite3.connect(f"file:{study}/index.sqlite?mode=ro", uri=True)) as index:
        (cell,) = index.execute(QUERY, (name,)).fetchone()
    folder = study / "cells" / cell
    audit = load_audit(folder)
    trained = json.loads((folder / "cell.json").read_text())["identity"]["trained"]
    classifier = fold(load_classifier(study / "cells" / trained))
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
    attack = Sequential(step_size=made.method["step_size"])
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
                key: n_fooled(classifier, images, clean[key], delta),
                f"noise_{key}": n_fooled(classifier, images, clean[key], noise),
            }
        print(points[-1], flush=True)
    assert all(one["seen"] < other["seen"] for one, other in pairwise(points))
    if not np.array_equal(np.load(folder / made.file, allow_pickle=False), delta.numpy()):
        raise SystemExit(f"{name}: the loop does not end in the study's perturbation {made.file}")
    return points


def main() -> None:
    """Run the cohorts that are not there yet."""
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
            file.write_text(json.dumps(curve_of(given.study, given.data, name), indent=1) + "\n")


if __name__ == "__main__":
    main()
