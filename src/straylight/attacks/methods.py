"""Attacks and controls: found by name, described, and run."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import torch

from straylight.attacks.auto import Auto
from straylight.attacks.ball import Ball
from straylight.attacks.catalogue import ATTACKS, CONTROLS, Entry
from straylight.attacks.controls import (
    Control,
    Gabor,
    Perlin,
    PhaseRandomised,
    RandomSign,
    RandomSphere,
)
from straylight.attacks.custom import (
    PYTHON,
    check_attack,
    class_name,
    describe_custom,
    load_custom,
    settings_of,
)
from straylight.attacks.custom_run import planned_by, watched
from straylight.attacks.disrupt import Disrupt
from straylight.attacks.gradient import Gradient
from straylight.attacks.lift import Lift
from straylight.attacks.method import Method, Source
from straylight.attacks.protocol import Attack, Snapshot, ThreatModel
from straylight.attacks.sequential import Sequential
from straylight.attacks.sga import Sga
from straylight.core.errors import InputError, quoted
from straylight.core.files import read_delta
from straylight.core.settings import parse_settings
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

__all__ = [
    "ATTACKS",
    "CONTROLS",
    "Attack",
    "Auto",
    "Control",
    "Disrupt",
    "Entry",
    "Gabor",
    "Gradient",
    "Lift",
    "Method",
    "Perlin",
    "PhaseRandomised",
    "RandomSign",
    "RandomSphere",
    "Sequential",
    "Sga",
    "Snapshot",
    "Source",
    "ThreatModel",
    "catalogue_name",
    "changed_settings",
    "check_attack",
    "describe",
    "in_catalogue",
    "parse_method",
    "planned",
    "snapshots",
    "usual_source",
    "with_source",
]


def in_catalogue(method: object) -> bool:
    """Return whether an attack or control is one of the catalogue, and not of a user's own."""
    return any(entry.make is type(method) for entry in (*ATTACKS.values(), *CONTROLS.values()))


def catalogue_name(method: Attack | Control) -> str:
    """Return a method's name in the catalogue, or of a user's own attack that of its class."""
    names = {entry.make: name for name, entry in [*ATTACKS.items(), *CONTROLS.items()]}
    return names.get(type(method)) or class_name(method)


def describe(method: Attack | Control) -> dict[str, Any]:
    """Return a method's name and settings, with the digest of what it starts from or is written in.

    Raises:
        InputError: If it starts from a file that is not there, or has settings that cannot be recorded.
    """
    if not in_catalogue(method):
        return describe_custom(method)
    settings = {"name": catalogue_name(method), **asdict(method)}  # type: ignore[call-overload]
    if settings.get("start"):
        start = read_delta(Path(settings["start"]))
        settings["start_sha256"] = hashlib.sha256(start.numpy().tobytes()).hexdigest()
    return settings


def parse_method(text: str) -> Method:
    """Make a method from ``NAME[@SOURCE][:SETTING=VALUE,SETTING=VALUE]``.

    NAME is one of the catalogue, or ``python:MODULE:CLASS``, a class of a user's own, which is imported.

    Raises:
        InputError: If there is no such attack, source or setting, or the value is not a number.

    Example:
        >>> parse_method("sequential@adapted:passes=2")
        Method(attack=Sequential(step_size=0.00025, passes=2), source='adapted')
    """
    prefix, module, text = "", "", text.strip()
    if text.startswith(PYTHON):
        module, _, text = text.removeprefix(PYTHON).partition(":")
        prefix = f"{PYTHON}{module}:"
    head, _, settings = text.partition(":")
    name, at, source = head.partition("@")
    if not prefix and name not in ATTACKS:
        raise InputError(
            f"there is no attack '{quoted(name)}': the catalogue has {', '.join(ATTACKS)}; one of your "
            f"own is {PYTHON}MODULE:CLASS."
        )
    if at and source not in get_args(Source):
        known = ", ".join(get_args(Source))
        raise InputError(f"an attack learns on one of {known}, not '{quoted(source)}'.")
    if prefix:
        attack = load_custom(prefix + name, settings)
    else:
        attack = parse_settings(ATTACKS[name].make, name, settings)
    return Method(attack, cast(Source, source)) if at else with_source(attack)


def usual_source(attack: Attack) -> Source:
    """Return what an attack learns on unless it is told."""
    entry = ATTACKS.get(catalogue_name(attack)) if in_catalogue(attack) else None
    return "photographs" if entry is None else entry.source


def with_source(attack: Attack) -> Method:
    """Let an attack learn on what its catalogue entry says, one of a user's own on photographs."""
    return Method(attack, usual_source(attack))


def changed_settings(attack: Attack) -> dict[str, Any]:
    """Return the settings of an attack that are not the usual ones."""
    settings = settings_of(attack)
    try:
        usual = settings_of(type(attack)())
    except Exception:  # a class of a user's own that has no usual settings
        usual = {}
    return {key: value for key, value in settings.items() if usual.get(key, attack) != value}


def planned(attack: Attack, n_photographs: int, n_classes: int, cost: int = 2) -> int:
    """Return how many photographs an attack will have looked at; see `Attack.planned`."""
    if in_catalogue(attack):
        return attack.planned(n_photographs, n_classes, cost)
    return planned_by(attack, n_photographs, n_classes, cost)


def snapshots(
    attack: Attack,
    classifier: Classifier,
    photographs: ImageSet,
    ball: Ball,
    *,
    target: int | None,
    generator: torch.Generator,
) -> Iterator[Snapshot]:
    """Run an attack; what one of a user's own yields is checked."""
    run = attack if in_catalogue(attack) else partial(watched, attack)
    yield from run(classifier, photographs, ball, target=target, generator=generator)
