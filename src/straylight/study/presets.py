"""Recipes by name, for ``recipe = "NAME"`` in a study's file."""

from typing import Any

from straylight import recipe as recipes
from straylight.errors import InputError


def preset(name: str) -> dict[str, Any]:
    """Return the settings of a named recipe: those of `straylight finetune --recipe`.

    Raises:
        InputError: If there is none of that name.
    """
    known: dict[str, dict[str, Any]] = getattr(recipes, "PRESETS", {"minagi2022": {}})
    if name and name not in known:
        said = ", ".join(known) or "none"
        raise InputError(f"there is no recipe {name!r}: the catalogue has {said}.")
    return dict(known.get(name, {}))
