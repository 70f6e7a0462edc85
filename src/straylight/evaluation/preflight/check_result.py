"""The result of a preflight check, in one sentence."""

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
LEVELS: tuple[Level, ...] = ("error", "warning", "note")  # the most severe first


@dataclass(frozen=True)
class CheckResult:
    """One problem, or one fact to know, before a classifier is attacked.

    Attributes:
        level: ``error``: the audit would be meaningless and is not run; ``warning``: it is run, but its
            figures may be misleading; ``note``: for information.
        check: The check that reports it.
        message: The problem with figures, and the remedy.
    """

    level: Level
    check: Check
    message: str
