"""Recipes by name, for ``recipe = "NAME"`` in a study's file."""

from typing import Any

from straylight.core.errors import InputError
from straylight.training.recipe import PRESETS


def preset(name: str) -> dict[str, Any]:
    """Return the settings of a named recipe: those of `straylight finetune --recipe`.

    Raises:
        InputError: If there is none of that name.
    """
    found = {preset: settings for preset, settings in PRESETS.items() if preset == name}
    if name and not found:
        raise InputError(f"there is no recipe {name!r}: the catalogue has {', '.join(PRESETS)}.")
    return dict(*found.values())
