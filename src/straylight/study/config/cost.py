"""The cost of a cell in image passes and seconds, and the throughput of a worker; without torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Image passes per second of one worker, as measured by the author of the file.

    A pass sends one image through the network, forwards or backwards.

    Attributes:
        training: In training.
        attack: In the attacks that work in batches.
        sequential: In `sequential`, one image at a time.
        adapting: While photographs are adapted.
        scoring: In scoring, forwards only.
    """

    training: float
    attack: float
    sequential: float
    adapting: float
    scoring: float


@dataclass(frozen=True)
class CellCost:
    """Image passes and seconds; seconds are 0 where no throughput is stated."""

    passes: int = 0
    seconds: float = 0.0

    def __add__(self, other: "CellCost") -> "CellCost":
        return CellCost(self.passes + other.passes, self.seconds + other.seconds)


def format_duration(seconds: float) -> str:
    """Format a duration in the unit that suits it.

    >>> [format_duration(seconds) for seconds in (42.0, 600.0, 2e4, 5e5)]
    ['42 s', '10 min', '5.6 h', '5.8 days']
    """
    for least, unit, name in ((172_800, 86_400, "days"), (5400, 3600, "h"), (120, 60, "min")):
        if seconds >= least:
            digits = 0 if name == "min" else 1
            return f"{seconds / unit:.{digits}f} {name}"
    return f"{seconds:.0f} s"
