"""Every method on every task: what adapting photographs closes of the gap to medical images.

    python benchmarks/attacks.py --data ../shared/data --models runs/models --out runs/attacks
    python benchmarks/tables.py collect attacks runs/attacks/*
    python benchmarks/tables.py write                          # docs/attacks.md

`--models` holds the classifiers of the README's first table (`skin`, `chest`, `oct`). A finished cell is
skipped and a killed one goes on, so the same command resumes. The oracle learns on 1,000 medical training
images in the place of photographs.
"""

import argparse
import subprocess
import sys
from pathlib import Path

TASKS = {"skin": ("skin/test.csv", "skin/train.csv"), "chest": ("chest/test", "chest/train")}
TASKS["oct"] = ("oct/test", "oct/train")
BUDGETS = {
    "l2-2": ["--norm", "l2", "--zeta", "0.02"],
    "linf-4": ["--norm", "linf", "--eps-levels", "4"],
    "l2-4": ["--norm", "l2", "--zeta", "0.04"],
}
METHODS = [
    "sequential:step_size=0.0012",
    "gradient:steps=150",
    "gradient@adapted:steps=150",
    "sweep@adapted:steps=100",
    "lift:steps=150",
    "disrupt:steps=150",
    "gradient@medical:steps=150",
]
ARCHIVE = "weights/mobilenetv2_100_imagenet.safetensors"


def main() -> None:
    """Run the cells that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--budgets", nargs="+", default=["l2-2", "linf-4"], choices=list(BUDGETS))
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    given = parser.parse_args()
    for budget in given.budgets:
        for task in given.tasks:
            out = given.out / f"{task}-{budget}"
            if (out / "report.html").exists():
                continue
            test, training = TASKS[task]
            command = ["audit", "--model", given.models / task, "--out", out]
            command += ["--natural", given.data / "natural", "--cohort", given.data / test]
            command += ["--training", given.data / training, "--public", given.data / ARCHIVE]
            command += [*BUDGETS[budget], "--method", *given.methods]
            subprocess.run([sys.executable, "-m", "straylight", *map(str, command)], check=True)


if __name__ == "__main__":
    main()
