"""A cell of a study: one training or audit, identified by everything that its figures depend on."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from straylight.audit.schema import Json
from straylight.core.progress import Tracker
from straylight.study.config.cost import CellCost


@dataclass(frozen=True, eq=False, kw_only=True)
class Cell:
    """One training or audit.

    Attributes:
        kind: ``training`` or ``audit``.
        identity: Everything that its figures depend on, as plain data: settings, digests of the data,
            versions, threads, and the ids of the cells that it needs.
        inputs: Everything else that it is run with, such as the location of its data: the same data
            in another place is the same cell.
        labels: The names and values of its axes, for tables.
        methods: The attacks of an audit; two audits with the same labels differ only in them.
        needs: Ids of the cells whose results it starts from.
        cost: Its expected cost.
    """

    kind: str
    identity: Json
    inputs: Any = None
    labels: Json = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    cost: CellCost = field(default_factory=CellCost)

    @cached_property
    def id(self) -> str:
        """The kind, and 16 hexadecimal digits of the digest of the identity."""
        text = json.dumps(self.identity, sort_keys=True)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @property
    def name(self) -> str:
        """A name for readers."""
        parts = (
            f"{key} {value}" if key in NUMBERED else str(value)
            for key, value in self.labels.items()
        )
        with_what = f": {', '.join(self.methods)}" if self.methods else ""
        return " ".join([self.kind, *parts]) + with_what


NUMBERED = ("photographs", "zeta", "eps_levels", "seed", "training_seed")


def unique_cells(cells: list[Cell]) -> list[Cell]:
    """Return the cells without repetitions: audits share their trainings."""
    by_id: dict[str, Cell] = {}
    for cell in cells:
        by_id.setdefault(cell.id, cell)
    return list(by_id.values())


# Runs a cell in its folder inside a study's folder, and returns its figures; called again after a kill,
# it resumes.
CellWork = Callable[[Cell, Path, Path, Tracker], Json]
