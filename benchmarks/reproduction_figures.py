"""Draw the figures of docs/reproduction.md from `reproduction.json`."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from straylight.audit.storage import load_audit
from straylight.core.tensor_files import read_delta

Json = dict[str, Any]
PAPER = "minagi2022_skin_inceptionv3_l2_zeta4_log.npy"
KINDS = {
    "train": ("#1f5f9e", "medical training images"),
    "test": ("#c2410c", "medical test images"),
}
KINDS |= {"photographs": ("#4d7c0f", "the photographs")}
NOISE = "#8a8a8a"
WIDTH = 11


def draw_figures(found: Json, audits: dict[str, Path], released: Path, out: Path) -> None:
    """Draw all figures into a folder."""
    plt.rcParams |= {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    figures = {
        "curves": draw_curves(found["curves"], np.load(released / PAPER, allow_pickle=False)),
        "confusions": draw_confusions(found["confusions"]),
        "starts": draw_initialisations(found["rows"]),
        "perturbations": draw_perturbations(audits),
    }
    for name, figure in figures.items():
        figure.savefig(
            out / f"reproduction-{name}.png", dpi=110, bbox_inches="tight", facecolor="white"
        )


def draw_curves(found: dict[str, list[Json]], log: np.ndarray[Any, Any]) -> plt.Figure:
    """Draw fooling rates against the number of photographs; the last panel is the log of the authors."""
    figure, axes = plt.subplots(1, len(found) + 1, figsize=(WIDTH, 2.9), sharey=True)
    for axis, (name, points) in zip(axes, found.items(), strict=False):
        x = [point["seen"] for point in points]
        for key, (colour, label) in KINDS.items():
            n = points[0][f"n_{key}"]
            axis.plot(
                x, [100 * p[key] / n for p in points], color=colour, marker="o", ms=3, label=label
            )
            noise = [100 * p[f"noise_{key}"] / n for p in points]
            axis.plot(x, noise, color=colour, ls=":", lw=1)
        axis.set_title(f"{name}, ζ = 2 %")
    last = axes[-1]
    for column, (colour, _) in zip((3, 4, 5), KINDS.values(), strict=True):
        last.plot(log[:, 0], 100 * log[:, column], color=colour)
        last.plot(log[:, 0], 100 * log[:, column + 3], color=colour, ls=":", lw=1)
    last.set_title("paper: skin, ζ = 4 %")
    for axis in axes:
        axis.set(xscale="log", xlabel="photographs", ylim=(0, 100))
        axis.grid(color="#e5e5e5", lw=0.6)
    axes[0].set_ylabel("fooling rate %")
    axes[0].plot([], [], color=NOISE, ls=":", lw=1, label="noise of the same norm")
    axes[0].legend(frameon=False, loc="upper left", fontsize=8)
    figure.tight_layout()
    return figure


def draw_confusions(found: Json) -> plt.Figure:
    """Draw confusion matrices, without a perturbation and with each attack."""
    names = ("clean", "sequential", "auto")
    figure, grid = plt.subplots(len(found), len(names), figsize=(WIDTH * 0.85, 3 * len(found)))
    for axes, (cohort, matrices) in zip(grid, found.items(), strict=True):
        classes = matrices["classes"]
        for axis, name in zip(axes, names, strict=True):
            table = np.array(matrices[name])
            shares = table / table.sum(1, keepdims=True)
            axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            for row, column in np.ndindex(*table.shape):
                dark = shares[row, column] > 0.55
                text = f"{100 * shares[row, column]:.0f}"
                axis.text(
                    column,
                    row,
                    text,
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="w" if dark else "k",
                )
            axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
            axis.set_yticks(range(len(classes)), classes)
            axis.set_title(f"{cohort}: {'no perturbation' if name == 'clean' else name}")
            axis.spines[:].set_visible(False)
        axes[0].set_ylabel("true class")
    for axis in grid[-1]:
        axis.set_xlabel("prediction, % of the true class")
    figure.tight_layout()
    return figure


def draw_initialisations(rows: list[Json]) -> plt.Figure:
    """Draw fine-tuned beside randomly initialised networks, in L2 with 1,000 photographs."""
    cohorts = list(dict.fromkeys(row["cohort"] for row in rows))
    figure, axes = plt.subplots(1, len(cohorts), figsize=(WIDTH, 3.2), sharey=True)
    for axis, cohort in zip(axes, cohorts, strict=True):
        some = [
            row
            for row in rows
            if row["cohort"] == cohort and row["attack"].startswith("auto:") and row["zeta"]
            if row["photographs"] == "1000" and not row["target"]
        ]
        draw_bars(axis, some)
        axis.set_title(f"{cohort}, L2 ζ = 2 %")
    axes[0].set_ylabel("fooling rate of auto, %")
    figure.tight_layout()
    return figure


def draw_bars(axis: Axes, rows: list[Json]) -> None:
    """Draw one bar per classifier, with its interval, the strongest noise and the ceiling."""
    for x, row in enumerate(rows):
        rate, low, high = (100 * float(row[f"rate{end}"]) for end in ("", "_low", "_high"))
        colour = "#c2410c" if row["initialisation"] == "fine-tuned" else "#1f5f9e"
        error = [[rate - low], [high - rate]]
        axis.bar(x, rate, 0.6, color=colour, yerr=error, capsize=3, ecolor="#333333")
        axis.plot([x - 0.3, x + 0.3], [100 * float(row["noise"])] * 2, color="k", lw=2)
        axis.plot([x - 0.3, x + 0.3], [100 * float(row["ceiling"])] * 2, color=NOISE, ls="--", lw=1)
    labels = [f"{row['model']}\n{row['initialisation']}" for row in rows]
    axis.set_xticks(range(len(rows)), labels, rotation=60, ha="right", fontsize=8)
    axis.set_ylim(0, 100)
    axis.grid(axis="y", color="#e5e5e5", lw=0.6)
    axis.set_axisbelow(True)


def draw_perturbations(audits: dict[str, Path]) -> plt.Figure:
    """Draw the perturbations around mid-grey; the largest 1 % of the entries are clipped."""
    names = ("sequential", "auto", "random-sphere 1")
    figure, grid = plt.subplots(len(names), len(audits), figsize=(WIDTH * 0.6, WIDTH * 0.62))
    for column, (cohort, folder) in enumerate(audits.items()):
        made = {item.name: item for item in load_audit(folder).perturbations}
        for row, name in enumerate(names):
            delta = read_delta(folder / made[name].file)[0].permute(1, 2, 0).numpy()
            shown = np.clip(0.5 + 0.5 * delta / np.quantile(abs(delta), 0.99), 0, 1)
            axis = grid[row, column]
            axis.imshow(np.broadcast_to(shown, (*shown.shape[:2], 3)), interpolation="nearest")
            axis.set_title(f"{cohort}: {name.removesuffix(' 1')}")
            axis.set_axis_off()
    figure.tight_layout()
    return figure
