"""Files that readers must withstand: made anew by every run, the same for a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

N_CUTS, N_FLIPS = 14, 18


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        path: Its name in the corpus; the first folder says which readers it is given to.
        data: Its content.
        expected: ``read``, ``refused``, or ``any``: damage may leave a file readable.
    """

    path: str
    data: bytes
    expected: str


def damaged(family: str, name: str, data: bytes, rng: np.random.Generator) -> Iterator[Case]:
    """Yield a good file, cuts of it, and copies with a few wrong bits or a wrong run of bytes."""
    stem, dot, suffix = name.partition(".")
    yield Case(f"{family}/{name}", data, "read")
    # Most of what a reader decides on lies at the beginning.
    ends = np.geomspace(1, len(data) - 1, N_CUTS).astype(int).tolist()
    for end in sorted({0, *ends, len(data) - 1}):
        yield Case(f"{family}/{stem}-cut{end}{dot}{suffix}", data[:end], "any")
    for number in range(N_FLIPS):
        broken = bytearray(data)
        reach = len(data) if number % 2 else min(len(data), 256)
        for place in rng.integers(0, reach, 1 + number % 4):
            broken[place] ^= 1 << int(rng.integers(0, 8))
        if number % 6 == 5:
            start = int(rng.integers(0, reach))
            broken[start : start + 4] = rng.bytes(4)
        yield Case(f"{family}/{stem}-flip{number}{dot}{suffix}", bytes(broken), "any")


def make_corpus(seed: int = 0) -> list[Case]:
    """Make all cases."""
    from corpus import (
        archives,
        arrays,
        attacks,
        audits,
        bounds,
        findings,
        graphs,
        manners,
        models,
        outputs,
        pictures,
        programs,
        records,
        scans,
        tables,
        unfinished,
    )

    families = (
        pictures,
        scans,
        arrays,
        tables,
        archives,
        models,
        audits,
        findings,
        unfinished,
        bounds,
        programs,
        manners,
        attacks,
        records,
        outputs,
        graphs,
    )
    cases: list[Case] = []
    for number, family in enumerate(families):
        cases += family.cases(np.random.default_rng((seed, number)))
    return cases


def write_corpus(root: Path, cases: list[Case]) -> None:
    """Write all cases below `root`."""
    for case in cases:
        file = root / case.path
        file.parent.mkdir(parents=True, exist_ok=True)
        assert not file.exists(), case.path
        file.write_bytes(case.data)
