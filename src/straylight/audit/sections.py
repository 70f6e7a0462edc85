"""The sections of `audit.json` apart from its perturbations, as frozen dataclasses."""

from dataclasses import dataclass, field, fields
from typing import Any

from straylight.audit.schema import Json
from straylight.core.conventions import Norm
from straylight.evaluation.metrics import Matrix, Score, to_matrix

# Fields that older audits lack; they are not written when they are empty.
_OPTIONAL = {
    *("kind", "n_distinct", "n_distinct_seen", "value_ranges", "sha256", "examples_sha256"),
    *("timm", "numpy", "pillow", "platform", "peak_memory_mib", "fingerprint", "date"),
}


def present_fields(section: object) -> Json:
    """Return the fields of a section as a dictionary, without those that an older audit lacks."""
    return {k: v for k, v in vars(section).items() if v not in (None, "") or k not in _OPTIONAL}


@dataclass(frozen=True)
class ModelInfo:
    """The audited classifier."""

    spec: str
    sha256: str
    class_names: tuple[str, ...]
    channels: int
    height: int
    width: int
    card: Json

    @classmethod
    def from_json(cls, data: Json) -> "ModelInfo":
        """Parse the section."""
        return cls(**data | {"class_names": tuple(data["class_names"])})


@dataclass(frozen=True, kw_only=True)
class AdaptedInfo:
    """The photographs adapted to the classifier; their cost is not in that of the attacks.

    Attributes:
        examples: A file with a few of them (uint8, NCHW).
        examples_sha256: Digest of that file (empty: an older audit, which did not record it).
        statistic: The distance measure (see `Adapted`).
        distance_before, distance_after: Distance from the statistics that the classifier has stored.
        style: The parameters of the `Style`.
        settings: Of the `Adaptation`.
        n_forward, n_backward: Images sent through the classifier.
        seconds: Wall time.
    """

    n: int
    sha256: str
    examples: str
    examples_sha256: str = ""
    statistic: str
    distance_before: float
    distance_after: float
    style: Json
    settings: Json
    n_forward: int
    n_backward: int
    seconds: float

    def to_json(self) -> Json:
        """Return the section as it is written."""
        return present_fields(self)


@dataclass(frozen=True)
class NaturalInfo:
    """The photographs the attacks were made from.

    Attributes:
        examples: A file with a few of them (uint8, NCHW).
        adapted: The same adapted to the classifier, if a method asked for it.
        examples_sha256: Digest of the file of examples (empty: an older audit, which did not record it).
        kind: ``photographs``, ``crops`` of some, or ``drawings`` (None: an older audit).
        n_distinct: How many different pictures they come from (None: an older audit).
    """

    spec: str
    n: int
    sha256: str
    skipped: tuple[Json, ...]
    examples: str
    adapted: AdaptedInfo | None = None
    examples_sha256: str = ""
    kind: str | None = None
    n_distinct: int | None = None

    def to_json(self) -> Json:
        """Return the section as it is written."""
        return present_fields(self) | {"adapted": self.adapted and self.adapted.to_json()}

    @classmethod
    def from_json(cls, data: Json) -> "NaturalInfo":
        """Parse the section."""
        adapted = data["adapted"] and AdaptedInfo(**data["adapted"])
        return cls(**data | {"skipped": tuple(data["skipped"]), "adapted": adapted})


@dataclass(frozen=True, kw_only=True)
class ExamplesInfo:
    """A few images of the cohort, kept for the report.

    Attributes:
        file: The images (uint8, NCHW).
        sha256: Digest of the file (empty: an older audit, which did not record it).
        perturbation: The name of the perturbation shown on them.
        labels, clean, attacked: Of each image the true class, and the classes predicted without and
            with the perturbation.
    """

    file: str
    sha256: str = ""
    perturbation: str
    labels: tuple[str, ...]
    clean: tuple[str, ...]
    attacked: tuple[str, ...]

    def to_json(self) -> Json:
        """Return the section as it is written."""
        return present_fields(self)

    @classmethod
    def from_json(cls, data: Json) -> "ExamplesInfo":
        """Parse the section."""
        return cls(**data | {name: tuple(data[name]) for name in ("labels", "clean", "attacked")})


@dataclass(frozen=True)
class CohortInfo:
    """The medical images the audit was scored on.

    Attributes:
        clean_confusion: Rows: true class; columns: prediction without a perturbation.
        note: Shown to the reader, such as that the images are synthetic.
        examples: A few of the images, if the user allowed them to be shown.
        value_ranges: How the values of the images became 8 bits: for each way ``how``, the number ``n``,
            and the least and greatest of the values that became black (``darkest``) and white
            (``lightest``). None: an older audit, which did not record it.
    """

    spec: str
    n: int
    sha256: str
    skipped: tuple[Json, ...]
    class_names: tuple[str, ...]
    clean_confusion: Matrix
    note: str
    examples: ExamplesInfo | None
    value_ranges: tuple[Json, ...] | None = None

    @property
    def clean(self) -> Score:
        """The score without a perturbation."""
        predicted = [sum(column) for column in zip(*self.clean_confusion, strict=True)]
        size = range(len(predicted))
        diagonal = tuple(tuple(predicted[i] * (i == j) for j in size) for i in size)
        return Score(self.clean_confusion, diagonal, 0)

    def to_json(self) -> Json:
        """Return the section as it is written, with the rates derived from its counts."""
        clean = self.clean
        counts = map(sum, clean.confusion)
        return present_fields(self) | {
            "examples": self.examples and self.examples.to_json(),
            "counts": dict(zip(self.class_names, counts, strict=True)),
            "clean_accuracy": clean.correct.rate,
            "clean_accuracy_ci95": clean.correct.ci95,
        }

    @classmethod
    def from_json(cls, data: Json) -> "CohortInfo":
        """Parse the counts; rates are derived again."""
        names = {item.name for item in fields(cls)}
        found: dict[str, Any] = {name: value for name, value in data.items() if name in names}
        for name in ("skipped", "class_names", "value_ranges"):
            if name in found:
                found[name] = tuple(found[name])
        found["clean_confusion"] = to_matrix(data["clean_confusion"])
        found["examples"] = data["examples"] and ExamplesInfo.from_json(data["examples"])
        return cls(**found)


@dataclass(frozen=True)
class BudgetInfo:
    """The budget: the norm and the radius that bound a perturbation.

    Attributes:
        norm: ``l2`` or ``linf``.
        zeta: Share of the mean norm of the medical images (None: eps was given).
        eps: Radius, on images in [0, 1].
        eps_rms_levels: Root mean square, in grey levels, of the largest perturbation that fits.
    """

    norm: Norm
    zeta: float | None
    eps: float
    eps_rms_levels: float


@dataclass(frozen=True, kw_only=True)
class EnvironmentInfo:
    """Versions, machine and command that the figures were made with.

    Attributes:
        fingerprint: Digest of everything that determines the figures.
        more: Entries of another version of Straylight.
    """

    straylight: str
    torch: str
    timm: str = ""
    numpy: str = ""
    pillow: str = ""
    python: str
    platform: str = ""
    device: str
    threads: int
    peak_memory_mib: int | None = None
    command: str
    fingerprint: str = ""
    date: str = ""
    more: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        """Return the section as it is written."""
        entries = present_fields(self)
        del entries["more"]
        return entries | self.more

    @classmethod
    def from_json(cls, data: Json) -> "EnvironmentInfo":
        """Parse the section; entries that are not known are kept."""
        names = {item.name for item in fields(cls)} - {"more"}
        more = {name: value for name, value in data.items() if name not in names}
        return cls(**{name: value for name, value in data.items() if name in names}, more=more)
