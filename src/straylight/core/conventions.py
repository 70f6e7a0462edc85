"""The image convention in plain numbers: grey levels, shapes and norms. Importable without torch."""

from typing import Literal

LEVELS = 255
Shape = tuple[int, int, int]  # channels, height, width
Norm = Literal["l2", "linf"]
