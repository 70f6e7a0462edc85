"""The project's one image convention.

Images are float32 in [0, 1], RGB or grey, NCHW. They are stored as uint8 and a perturbation lives in
the same pixel space, before any normalisation of the model. Grey levels (0..255) appear only in names
that end in ``_levels`` and in reports.
"""

import math

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from straylight.core.conventions import LEVELS, Norm

Images = Float[Tensor, "batch channels height width"]
Pixels = UInt8[Tensor, "batch channels height width"]
Delta = Float[Tensor, "1 channels height width"]
Logits = Float[Tensor, "batch classes"]
Batch = Int64[Tensor, "batch"]  # indices of images
Labels = Int64[Tensor, "batch"]


def from_pixels(pixels: Pixels) -> Images:
    """Convert stored uint8 pixels to images in [0, 1]."""
    return pixels.float() / LEVELS


def to_pixels(images: Images) -> Pixels:
    """Clip images to [0, 1] and round them to 8 bits, for storage."""
    return (images.clamp(0, 1) * LEVELS).round().to(torch.uint8)


def quantize(images: Images) -> Images:
    """Clip to [0, 1] and round to 8 bits, as when a deployed system reads an image file.

    >>> import torch
    >>> quantize(torch.tensor([[[[-0.2, 0.1, 1.7]]]])).mul(255).tolist()
    [[[[0.0, 26.0, 255.0]]]]
    """
    return (images.clamp(0, 1) * LEVELS).round() / LEVELS


def image_norms(images: Images, norm: Norm) -> Tensor:
    """Return the norm of each image over all its channels and pixels; shape (batch,)."""
    order = 2 if norm == "l2" else math.inf
    norms: Tensor = torch.linalg.vector_norm(images, ord=order, dim=(1, 2, 3))
    return norms


def rms_levels(delta: Delta) -> float:
    """Return the root mean square of a perturbation in grey levels of 0..255."""
    return float(delta.square().mean().sqrt()) * LEVELS
