"""ONNX operators that resize images."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from straylight.models.readers.network import UnsupportedModelError

Ints = tuple[int, ...]


def onnx_resize(
    x: Tensor,
    roi: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
    *,
    antialias: int = 0,
    axes: Ints | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Tensor:
    """Resize height and width with torch; coordinate modes that torch lacks are refused."""
    along = list(axes) if axes is not None else list(range(x.ndim))
    given = sizes if sizes is not None and sizes.numel() else scales
    if given is None or given.numel() != len(along) or x.ndim != 4:
        raise UnsupportedModelError("has a Resize that is not of height and width")
    whole = given is sizes
    wanted: dict[int, float] = dict(zip((a % 4 for a in along), given.tolist(), strict=True))
    ratio = {a: n / x.shape[a] if whole else n for a, n in wanted.items()}
    if any(ratio.get(axis, 1) != 1 for axis in (0, 1)) or keep_aspect_ratio_policy != "stretch":
        raise UnsupportedModelError("has a Resize that is not of height and width")
    coordinates = coordinate_transformation_mode
    up = all(ratio.get(axis, 1.0) == int(ratio.get(axis, 1.0)) for axis in (2, 3))
    exact = {
        "nearest": (coordinates == "asymmetric" and nearest_mode == "floor")
        or (
            (up and coordinates in ("asymmetric", "half_pixel") and "floor" in nearest_mode[-5:])
            and (coordinates == "half_pixel" or nearest_mode == "floor")
        ),
        "linear": coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners"),
        "cubic": coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners")
        and abs(cubic_coeff_a + (0.5 if antialias else 0.75)) < 1e-6
        and not exclude_outside,
    }
    if not exact.get(mode, False):
        raise UnsupportedModelError(
            f"has a Resize of mode {mode[:20]!r} with {coordinates[:30]!r} coordinates"
        )
    corners = {} if mode == "nearest" else {"align_corners": coordinates == "align_corners"}
    names = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}
    if x.is_meta:  # torch infers the shape far faster for this mode, and it is the same
        mode, corners, antialias = "nearest", {}, 0
    more: dict[str, Any] = {"mode": names[mode], "antialias": bool(antialias), **corners}
    if whole:
        return F.interpolate(x, [int(wanted.get(a, x.shape[a])) for a in (2, 3)], **more)
    return F.interpolate(x, scale_factor=[ratio.get(a, 1.0) for a in (2, 3)], **more)


def onnx_upsample(x: Tensor, scales: Tensor, *, mode: str = "nearest") -> Tensor:
    coordinates = "asymmetric"
    return onnx_resize(
        x,
        scales=scales,
        mode=mode,
        coordinate_transformation_mode=coordinates,
        nearest_mode="floor",
    )


RESIZING: dict[str, Callable[..., Tensor]] = {"Resize": onnx_resize, "Upsample": onnx_upsample}
