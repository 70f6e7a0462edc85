"""A small image of gradients."""

import numpy as np
from PIL import Image

GRADIENT_SHAPE = (3, 8, 10)


def gradient_image(mode: str = "RGB") -> Image.Image:
    ramp = np.linspace(0, 255, 8 * 10).reshape(8, 10).astype(np.uint8)
    return Image.fromarray(np.stack([ramp, ramp[::-1], ramp], -1)).convert(mode)
