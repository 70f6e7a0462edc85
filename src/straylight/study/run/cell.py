"""One cell of a study: a training or an audit, named by everything that its figures depend on."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from straylight.audit.schema import Json
from straylight.study.config.cost import Cost


@dataclass(frozen=True, eq=False, kw_only=True)
class Cell:
    """One training or audit.

    Attributes:
        kind: ``training`` or ``audit``.
        identity: Everything that its figures depend on, as plain data: settings, digests of the data,
            versions, threads, and the ids of the cells that it needs.
        inputs: What else it is run with, such as where its data lie: the same data elsewhere is the
            same cell.
        labels: What the study calls its parts, for tables.
        methods: Of an audit: two of one part of the grid differ in them only.
        needs: The cells whose results it starts from.
        cost: What it is expected to take.
    """

    kind: str
    identity: Json
    inputs: Any = None
    labels: Json = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)

    @cached_property
    def id(self) -> str:
        """Kind, and 16 hexadecimal digits of the digest of its identity."""
        text = json.dumps(self.identity, sort_keys=True)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @property
    def name(self) -> str:
        """What a reader calls it."""
        said = (
            f"{key} {value}" if key in NUMBERED else str(value)
            for key, value in self.labels.items()
        )
        with_what = f": {', '.join(self.methods)}" if self.methods else ""
        return " ".join([self.kind, *said]) + with_what


NUMBERED = ("photographs", "zeta", "eps_levels", "seed", "training_seed")


def unique(cells: list[Cell]) -> list[Cell]:
    """Keep the first of each id: audits share their trainings."""
    found: dict[str, Cell] = {}
    for cell in cells:
        found.setdefault(cell.id, cell)
    return list(found.values())
