"""The project's one image convention.

Images are float32 in [0, 1], RGB or grey, NCHW. They are stored as uint8 and a perturbation lives in
the same pixel space, before any normalisation of the model. Grey levels (0..255) appear only in names
that end in ``_levels`` and in reports.
"""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

LEVELS = 255

Images = Float[Tensor, "batch channels height width"]
Pixels = UInt8[Tensor, "batch channels height width"]
Delta = Float[Tensor, "1 channels height width"]
Logits = Float[Tensor, "batch classes"]
Batch = Int64[Tensor, "batch"]  # indices of images
Labels = Int64[Tensor, "batch"]
Shape = tuple[int, int, int]  # channels, height, width


def from_pixels(pixels: Pixels) -> Images:
    """Turn stored uint8 pixels into images in [0, 1]."""
    return pixels.float() / LEVELS


def to_pixels(images: Images) -> Pixels:
    """Clip images to [0, 1] and round them to 8 bits, for storage."""
    return (images.clamp(0, 1) * LEVELS).round().to(torch.uint8)


def as_received(images: Images) -> Images:
    """Clip to [0, 1] and round to 8 bits: what a deployed system reads from a file.

    >>> import torch
    >>> as_received(torch.tensor([[[[-0.2, 0.1, 1.7]]]])).mul(255).tolist()
    [[[[0.0, 26.0, 255.0]]]]
    """
    return (images.clamp(0, 1) * LEVELS).round() / LEVELS
