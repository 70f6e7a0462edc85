"""What a check before the attacks found, in one sentence."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]
Check = Literal[
    "head",
    "model",
    "images",
    "outputs",
    "determinism",
    "gradients",
    "accuracy",
    "class-order",
    "normalisation",
    "classes",
    "constant",
]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")  # the gravest first


@dataclass(frozen=True)
class Finding:
    """One thing to know before a classifier is attacked.

    Attributes:
        level: ``error``: an audit would mean nothing and is not run; ``warning``: it is run, and may
            mean something else than it seems to; ``note``: good to know.
        check: Which check found it.
        message: What, with figures, and what to do.
    """

    level: Level
    check: Check
    message: str
