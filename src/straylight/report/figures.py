"""Pictures as PNG data URIs, and the geometry of the chart that the template draws."""

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from straylight.audit.results import Audit, Perturbation
from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.files import read_array, read_delta
from straylight.core.tensors import LEVELS, Delta, Images, Pixels, Shape, as_received, from_pixels
from straylight.evaluation.metrics import Proportion
from straylight.report.tables import best_of_each_kind, interval, number, share

MIN_SIDE = 128
ROW_HEIGHT = 48
LABEL_LENGTH = 34


@dataclass(frozen=True)
class Picture:
    """One image of the page."""

    src: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class Bar:
    """One line of the chart. Positions across are in per cent of the width."""

    name: str
    label: str
    role: str
    top: int
    rate: str
    low: str
    width: str
    ceiling: str | None
    text: str
    interval: str


@dataclass(frozen=True)
class Chart:
    """Fooling rates with their intervals, one below the other."""

    bars: tuple[Bar, ...]
    height: int
    description: str


@dataclass(frozen=True)
class Curve:
    """Fooling rate of one attack on its way. Points are in a box of 100 x 100, downwards."""

    name: str
    points: tuple[tuple[float, float], ...]
    text: str


def shape_of(audit: Audit) -> Shape:
    """Channels, height and width of the model's images."""
    return audit.model.channels, audit.model.height, audit.model.width


def read_pixels(path: Path, shape: Shape, sha256: str = "") -> Pixels:
    """Read stored images, uint8 (N, C, H, W).

    Raises:
        InputError: If the file is missing, broken, not the one of that digest, or holds something else.
    """
    try:
        array = read_array(path, sha256=sha256)
    except (OSError, ValueError, MemoryError) as error:
        raise InputError(
            f"{path} cannot be read as images ({reason_of(error)}): run the audit again."
        ) from error
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != shape:
        raise InputError(
            f"{path} holds {quoted(array.dtype)} {quoted(array.shape)}, not uint8 images of shape {shape}: "
            "run the audit again."
        )
    return torch.from_numpy(array)


def read_perturbation(item: Perturbation, folder: Path, shape: Shape) -> Delta:
    """Read a perturbation and see that it fits the model.

    Raises:
        InputError: If it is missing or broken, of another shape or size, or not finite.
    """
    delta = read_delta(folder / item.file, item.sha256)
    if delta.shape[1:] != shape or not delta.isfinite().all():
        raise InputError(
            f"{folder / item.file} is not a finite perturbation of shape {shape}: "
            "run the audit again."
        )
    for name, said, size in (
        ("l2", item.l2, float(delta.norm())),
        ("linf", item.linf, float(delta.abs().max())),
    ):
        if not math.isclose(said, size, rel_tol=1e-3, abs_tol=1e-6):
            raise InputError(
                f"{folder / item.file} has the {name} {size:.6g}, and the audit says {said:.6g} of it: run "
                "the audit again."
            )
    return delta


def amplification(delta: Delta) -> int:
    """Return the largest of 1, 2, 5, 10, 20 ... that keeps 99 % of the entries on the grey scale.

    >>> amplification(torch.full((1, 1, 8, 8), 0.02)), amplification(torch.zeros(1, 1, 8, 8))
    (20, 1)
    """
    size = float(np.quantile(delta.abs().numpy(), 0.99))
    factors: list[int] = [step * 10**power for power in range(4) for step in (1, 2, 5)]
    return max([1] + [factor for factor in factors if size and factor * size <= 0.5])


def draw_delta(delta: Delta, factor: int, alt: str) -> Picture:
    """Draw a perturbation `factor` times as strong, around mid-grey."""
    return draw(delta * factor + 0.5, alt)


def draw_attacked(image: Images, delta: Delta, alt: str) -> Picture:
    """Draw an image with a perturbation, as the system receives it."""
    return draw(as_received(image + delta), alt)


def draw_pixels(pixels: Pixels, alt: str) -> Picture:
    """Draw a stored image."""
    return draw(from_pixels(pixels), alt)


def draw(image: Images, alt: str) -> Picture:
    """Encode one image in [0, 1]; small ones are enlarged by a whole factor, pixel by pixel."""
    levels = (image[0].clamp(0, 1) * LEVELS).round().to(torch.uint8).permute(1, 2, 0)
    picture = Image.fromarray(levels.squeeze(2).numpy() if levels.shape[2] == 1 else levels.numpy())
    factor = -(-MIN_SIDE // min(picture.size)) if min(picture.size) < MIN_SIDE else 1
    width, height = picture.width * factor, picture.height * factor
    stream = io.BytesIO()
    picture.resize((width, height), Image.Resampling.NEAREST).save(stream, "PNG", optimize=True)
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(f"data:image/png;base64,{encoded}", alt, width, height)


def draw_chart(audit: Audit) -> Chart:
    """Place every attack, every reference, and the largest control of each kind."""
    named = [(item, item.name) for item in (*audit.of_role("attack"), *audit.of_role("reference"))]
    named += [(item, label) for label, item in best_of_each_kind(audit.of_role("control"))]
    bars = tuple(place(item, label, top * ROW_HEIGHT) for top, (item, label) in enumerate(named))
    description = "; ".join(f"{bar.name}: {bar.text} ({bar.interval})" for bar in bars)
    return Chart(bars, len(bars) * ROW_HEIGHT, description)


def place(item: Perturbation, label: str, top: int) -> Bar:
    """Place one line of the chart; only attacks and references show their ceiling."""
    fooled = item.score.fooled
    low, high = fooled.ci95
    return Bar(
        name=label,
        label=label
        if len(label) <= LABEL_LENGTH
        else label[: LABEL_LENGTH - 1] + "\N{HORIZONTAL ELLIPSIS}",
        role=item.role,
        top=top,
        rate=across(fooled.rate),
        low=across(low),
        width=across(high - low),
        ceiling=None if item.role == "control" else across(item.score.ceiling.rate),
        text=share(fooled),
        interval=interval(fooled),
    )


def across(rate: float) -> str:
    """Write a rate as a position across the chart."""
    return f"{100 * rate:.2f}%"


def draw_curves(audit: Audit) -> tuple[Curve, ...]:
    """Place the attacks that were scored on their way; photographs seen run on a log scale."""
    items = [item for item in audit.perturbations if item.curve]
    seen = [point["images_seen"] for item in items for point in item.curve]
    if not seen:
        return ()
    low, high = math.log(max(1, min(seen))), math.log(max(2, *seen))
    span = max(high - low, 1e-9)
    return tuple(
        Curve(
            item.name,
            tuple(
                (
                    round(100 * (math.log(max(1, point["images_seen"])) - low) / span, 2),
                    round(100 - 100 * point["n_fooled"] / item.score.n, 2),
                )
                for point in item.curve
            ),
            ", ".join(
                f"{share(Proportion(point['n_fooled'], item.score.n))} at "
                f"{number(point['images_seen'])}"
                for point in item.curve
            ),
        )
        for item in items
    )
