"""Synthetic skin-lesion phantoms: labelled images that need no download and show no patient.

Maps of two pigments, melanin and blood, are drawn at random; the colour follows from the
Beer-Lambert law. The four classes share the distributions of skin, light, hair, noise, lesion shape
and lesion colour. They differ in the fine structure inside the lesion, and are not diagnoses.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
"""A map of one number per pixel, shape (size, size)."""
_Structure = tuple[Callable[["_Lesion", np.random.Generator], Field], float, float]
"""A function that draws a structure, and its amounts of melanin and blood."""
# Absorbance of one unit of each pigment in red, green and blue light.
_MELANIN = np.array([0.55, 0.92, 1.20])
_BLOOD = np.array([0.16, 1.00, 0.85])
_LAMP = np.array([0.99, 0.95, 0.93])


@dataclass(frozen=True)
class _Lesion:
    """Coordinates of each pixel in the image, `x` and `y` from -1 to 1, and relative to a lesion.

    `rho` is the distance from its `centre` as a share of the distance of its border in the same
    direction, `theta` that direction in radians; `inside` goes from 1 to 0 softly at `rho` = 1.
    """

    centre: Field
    x: Field
    y: Field
    rho: Field
    theta: Field
    inside: Field


def draw_phantoms(
    n: int, *, size: int = 64, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw synthetic images of skin lesions with four kinds of inner structure.

    Args:
        n: Number of images; the classes are balanced to within one image, in random order.
        size: Pixels per side.
        seed: The same seed gives the same images.

    Returns:
        RGB images of shape (n, size, size, 3) in 0..255, and labels of shape (n,) that index
        `CLASS_NAMES`.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % len(CLASS_NAMES))
    images = np.empty((n, size, size, 3), np.uint8)
    for row, label in enumerate(labels):
        images[row] = _draw_phantom(_STRUCTURES[CLASS_NAMES[label]], size, rng)
    return images, labels


def _draw_phantom(structure: _Structure, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one image of shape (size, size, 3) in 0..255."""
    draw, brown, red = structure
    lesion = _draw_outline(size, rng)
    lines = rng.uniform(0.25, 0.60) * draw(lesion, rng)
    depth = rng.uniform(0.30, 0.75) * (1 + 0.25 * _draw_smooth_noise(size, 0.25, rng))
    melanin = (
        rng.uniform(0.05, 0.55)
        + _draw_skin_grain(size, rng)
        + lesion.inside * depth
        + brown * lines
    )
    melanin = melanin + 1.6 * _draw_hairs(lesion, rng)
    blood = rng.uniform(0.10, 0.28) + _draw_skin_grain(size, rng) + red * lines
    blood = blood + rng.uniform(0.0, 0.30) * lesion.inside
    pigment = melanin[..., None] * _MELANIN + blood[..., None] * _BLOOD
    light = _LAMP * rng.uniform(0.97, 1.03, 3) * _draw_light(lesion, rng)[..., None]
    noise = 0.01 * rng.standard_normal((size, size, 3))
    image: Field = np.clip(light * np.exp(-pigment) + noise, 0, 1)
    return np.rint(255 * image).astype(np.uint8)


def _draw_outline(size: int, rng: np.random.Generator) -> _Lesion:
    """Draw the outline: a random closed curve round a random centre."""
    axis = (np.arange(size) + 0.5) * 2 / size - 1
    x, y = np.meshgrid(axis, axis)
    centre = rng.uniform(-0.2, 0.2, 2)
    dx, dy = x - centre[0], y - centre[1]
    theta = np.arctan2(dy, dx)
    border = np.full_like(x, rng.uniform(0.5, 0.72))
    for lobes in range(2, 6):
        depth = 0.10 / lobes * rng.standard_normal()
        border *= 1 + depth * np.cos(lobes * theta + rng.uniform(0, 2 * np.pi))
    rho = np.hypot(dx, dy) / border
    return _Lesion(centre, x, y, rho, theta, _soft_step((1 - rho) / rng.uniform(0.03, 0.10)))


def _soft_step(x: Field) -> Field:
    """Return the logistic function of `x`: a soft step from 0 to 1."""
    step: Field = 1 / (1 + np.exp(-x))
    return step


def _draw_light(lesion: _Lesion, rng: np.random.Generator) -> Field:
    """Draw the light: a slope across the image and darker corners."""
    slope = rng.uniform(-0.07, 0.07) * lesion.x + rng.uniform(-0.07, 0.07) * lesion.y
    corners = rng.uniform(0.02, 0.12) * (lesion.x**2 + lesion.y**2)
    return rng.uniform(0.90, 1.0) * (1 + slope - corners)


def _draw_smooth_noise(size: int, width: float, rng: np.random.Generator) -> Field:
    """Draw Gaussian noise of unit variance, blurred over `width` of the image's side."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    low_pass = np.exp(-0.5 * (2 * frequency * width * size) ** 2)
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * low_pass
    field: Field = np.fft.irfft2(spectrum, (size, size))
    return field / float(field.std())


def _draw_skin_grain(size: int, rng: np.random.Generator) -> Field:
    """Draw uneven skin: wide blotches, and a finer grain of random width and strength."""
    fine = _draw_smooth_noise(size, rng.uniform(0.01, 0.09), rng)
    return 0.04 * _draw_smooth_noise(size, 0.2, rng) + rng.uniform(0.0, 0.11) * fine


def _pixel_distances(lesion: _Lesion, points: Field) -> Field:
    """Return the distance of every pixel from every point: (M, size, size) for `points` (M, 2)."""
    across = (lesion.x[0] - points[:, :1]) ** 2
    down = (lesion.y[:, 0] - points[:, 1:]) ** 2
    distances: Field = np.sqrt(across[:, None, :] + down[:, :, None])
    return distances


def _scatter_points(spacing: float, rng: np.random.Generator) -> Field:
    """Draw points on a jittered, turned honeycomb over the image, shape (M, 2)."""
    steps = np.arange(-1.5, 1.5, spacing)
    x, y = np.meshgrid(steps, steps * 0.87)
    x = x + spacing / 2 * (np.arange(len(steps)) % 2)[:, None]
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    points = points + rng.uniform(-0.27, 0.27, points.shape) * spacing
    turn = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(turn), np.sin(turn)
    turned: Field = points @ np.array([[cos, -sin], [sin, cos]])
    return turned[np.flatnonzero(np.abs(turned).max(axis=1) < 1.15)]


def _draw_curve(start: Field, bend: float, length: float, rng: np.random.Generator) -> Field:
    """Draw a random smooth curve from `start`: points 0.04 apart, shape (M, 2)."""
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, bend, round(length / 0.04)))
    steps = 0.04 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return start + np.cumsum(steps, axis=0)


def _draw_hairs(lesion: _Lesion, rng: np.random.Generator) -> Field:
    """Draw up to three thin dark hairs."""
    cover = np.zeros_like(lesion.x)
    for _ in range(max(0, int(rng.integers(-3, 4)))):
        points = _draw_curve(rng.uniform(-1, 1, 2), 0.05, 2.0, rng)
        nearest = _pixel_distances(lesion, points).min(axis=0)
        cover = np.maximum(cover, rng.uniform(0.3, 0.7) * np.exp(-((nearest / 0.028) ** 2)))
    return cover


def _draw_clods(lesion: _Lesion, rng: np.random.Generator) -> Field:
    """Draw round dark clods scattered over the lesion."""
    points = _scatter_points(rng.uniform(0.20, 0.30), rng)
    points = points[rng.random(len(points)) < 0.75]
    radius = rng.uniform(0.045, 0.10, len(points))[:, None, None]
    clods: Field = _soft_step((radius - _pixel_distances(lesion, points)) / 0.018).max(axis=0)
    return lesion.inside * clods


def _draw_network(lesion: _Lesion, rng: np.random.Generator) -> Field:
    """Draw a honeycomb of dark lines round paler holes: the borders of Voronoi cells."""
    distances = _pixel_distances(lesion, _scatter_points(rng.uniform(0.20, 0.30), rng))
    nearest = distances.min(axis=0)
    second: Field = np.where(distances == nearest, np.inf, distances).min(axis=0)
    lines: Field = np.exp(-(((second - nearest) / rng.uniform(0.045, 0.065)) ** 2))
    return lesion.inside * lines


def _draw_streaks(lesion: _Lesion, rng: np.random.Generator) -> Field:
    """Draw dark rays that grow towards the border and a little beyond it."""
    count = rng.integers(13, 22)
    wobble = rng.uniform(0.2, 0.6) * np.cos(rng.integers(1, 4) * lesion.theta + rng.uniform(0, 6))
    wave = np.cos(count * lesion.theta + 2 * wobble * lesion.rho + rng.uniform(0, 6))
    reach = 1.12 + 0.10 * np.cos(rng.integers(3, 7) * lesion.theta + rng.uniform(0, 6))
    ring = _soft_step((lesion.rho - 0.5) / 0.08) * _soft_step((reach - lesion.rho) / 0.04)
    rays: Field = np.exp(2 * (wave - 1))
    return ring * rays


def _draw_vessels(lesion: _Lesion, rng: np.random.Generator) -> Field:
    """Draw thin red vessels that wind and branch."""
    points = _draw_curve(lesion.centre + rng.uniform(-0.2, 0.2, 2), 0.3, 0.5, rng)
    for _ in range(int(rng.integers(6, 11))):
        fork, length = points[rng.integers(len(points))], rng.uniform(0.5, 1.0)
        points = np.concatenate([points, _draw_curve(fork, 0.3, length, rng)])
    nearest = _pixel_distances(lesion, points).min(axis=0)
    vessels: Field = np.exp(-((nearest / rng.uniform(0.025, 0.04)) ** 2))
    return lesion.inside * vessels


_STRUCTURES: dict[str, _Structure] = {
    "globular": (_draw_clods, 1.0, 0.0),
    "reticular": (_draw_network, 1.0, 0.0),
    "streaked": (_draw_streaks, 1.0, 0.0),
    "vascular": (_draw_vessels, 0.5, 1.0),
}
CLASS_NAMES: tuple[str, ...] = tuple(_STRUCTURES)
"""The classes, in the order of their labels."""
