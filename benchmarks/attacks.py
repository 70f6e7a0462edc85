"""Run every attack and its peers in every cell: rates, the gap to medical images, and costs.

    pip install adversarial-robustness-toolbox
    python benchmarks/attacks.py --data ../shared/data --models runs/models --out runs/attacks --jobs 2
    python benchmarks/tables.py collect attacks runs/attacks/{skin,chest,oct}-{l2-2,linf-4}
    python benchmarks/tables.py write                          # docs/measurements.md

`--models` holds the classifiers of the first table of docs/measurements.md (`skin`, `chest`, `oct`), and
for the cells around them `skin-scratch` and `skin-squeezenet` (how to train them: docs/measurements.md).
Each cell is an audit in its own single-threaded process. Finished cells are skipped and killed ones resume,
so the same command continues. The oracles learn on as many medical training images as there are
photographs.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

BUDGETS = {
    "l2-1": ["--norm", "l2", "--zeta", "0.01"],
    "l2-2": ["--norm", "l2", "--zeta", "0.02"],
    "l2-4": ["--norm", "l2", "--zeta", "0.04"],
    "linf-4": ["--norm", "linf", "--eps-levels", "4"],
}
DATA = {
    "skin": ("skin/test.csv", "skin/train.csv"),
    "chest": ("chest/test", "chest/train"),
    "oct": ("oct/test", "oct/train"),
}
PUBLIC = "weights/mobilenetv2_100_imagenet.safetensors"
AUTO, PLAIN, ORACLE = (
    f"auto{source}:image_passes=25000" for source in ("", "@photographs", "@medical")
)
# The step is that of the paper's sibling (Hirano 2021); the paper's own is for 100,000 photographs.
LOOP, ART = "sequential:step_size=0.0012", "art:step_size=0.0012"
# SGA's large steps are a tenth of the radius: 40 of them fill the budget.
SGA, DF_UAP, COS_UAP = "sga:epochs=2,outer=50,rounds=2", "df-uap:steps=200", "cos-uap:steps=200"
MAIN = [
    *(LOOP, ART, "spgd:epochs=5", SGA, DF_UAP, COS_UAP),
    *("gradient:steps=100", "gradient@medical:steps=100", PLAIN, AUTO, ORACLE),
]
GAP = [PLAIN, AUTO, ORACLE]
RACERS = [f"gradient:steps={n},batch_size=8" for n in (8, 12, 16)]
AROUND = [LOOP, "gradient:steps=100", *GAP]
RACE = [f"{LOOP},epochs=8", f"{ART},epochs=4", *RACERS, "gradient:steps=100"]
T2 = ["lift:steps=150,depth=0.05", "lift:steps=150,depth=0.1", "disrupt:steps=60,depth=1"]

TARGETED_ONLY = ["gradient@adapted:steps=100"]

PROGRAM = "import peers; from straylight.cli.main import main; main()"  # peers enters the catalogue
TARGETED = ("--targeted-method", ART, "gradient@adapted:steps=100")
MAIN_BUDGETS = ("l2-2", "linf-4")
TARGETS = {"skin": "MEL", "chest": "PNEUMONIA", "oct": "CNV"}


@dataclass(frozen=True)
class Cell:
    """One audit: a task, a budget, methods, and deviations from the main grid."""

    task: str
    budget: str
    methods: list[str]
    model: str = ""
    options: tuple[str, ...] = ()
    label: str = ""

    @property
    def name(self) -> str:
        label = "t2" if self.methods is T2 else self.label
        return "-".join(filter(None, [self.model or self.task, label, self.budget]))

    def command(self, data: Path, models: Path, out: Path) -> list[str]:
        """Return the audit as a command line."""
        test, training = DATA[self.task]
        words = ["audit", "--model", models / (self.model or self.task), "--out", out / self.name]
        words += ["--natural", data / "natural", "--cohort", data / test]
        words += ["--training", data / training, *BUDGETS[self.budget], "--control-seeds", "1"]
        if any(method in T2 for method in self.methods):
            words += ["--public", data / PUBLIC]
        return [*map(str, words), *self.options, "--method", *self.methods]


def list_cells() -> list[Cell]:
    """List the cells of the main grid and around it, the largest first."""
    main = [
        Cell(task, "l2-2", MAIN, options=("--target", target, *TARGETED))
        for task, target in TARGETS.items()
    ]
    main += [Cell(task, "linf-4", MAIN) for task in TARGETS]
    main += [
        Cell(task, budget, [AUTO], options=("--adaptation", "alignment=0"), label="unaligned")
        for budget in MAIN_BUDGETS
        for task in TARGETS
    ]
    main += [
        Cell(task, "l2-2", TARGETED_ONLY, options=("--target", "all"), label="targets")
        for task in TARGETS
    ]
    around = [
        Cell("skin", "l2-2", AROUND, model="skin-squeezenet"),
        Cell("skin", "l2-2", AROUND, model="skin-scratch"),
        Cell("skin", "l2-1", GAP),
        Cell("skin", "l2-4", GAP),
        Cell("skin", "l2-2", GAP[1:], options=("--photographs", "100"), label="100"),
        *(
            Cell("skin", budget, GAP[1:], options=("--seed", k), label=f"seed{k}")
            for budget in MAIN_BUDGETS
            for k in "12"
        ),
        Cell("skin", "l2-2", [ART, "art:inner=deepfool"], label="deepfool"),
        Cell("skin", "l2-2", RACE, options=("--curve", "5"), label="race"),
    ]
    t2 = [Cell(task, "l2-4", T2) for task in TARGETS]
    return [*main, *around, *t2]


def run_cell(cell: Cell, given: argparse.Namespace) -> None:
    """Run one audit in its own process, unless it is finished."""
    if (given.out / cell.name / "report.html").exists():
        return
    started = time.perf_counter()
    print(f"{cell.name} begins", flush=True)
    words = cell.command(given.data, given.models, given.out)
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    log = (given.out / f"{cell.name}.log").open("w")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        stdout=log,
        stderr=log,
    )
    how = "done" if done.returncode == 0 else f"failed: see {log.name}"
    print(f"{cell.name} {how}, {time.perf_counter() - started:.0f} s", flush=True)


def main() -> None:
    """Run the unfinished cells."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time, of one thread each")
    parser.add_argument("--only", nargs="+", help="names of cells")
    given = parser.parse_args()
    wanted = [cell for cell in list_cells() if given.only is None or cell.name in given.only]
    given.out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(lambda cell: run_cell(cell, given), wanted))


if __name__ == "__main__":
    main()
