"""The result of an audit: frozen counts, and JSON both ways."""

import math
from dataclasses import dataclass
from typing import Any

from straylight.audit.schema import SCHEMA, Json, check_consistent, check_form
from straylight.core.errors import InputError
from straylight.core.norms import Norm
from straylight.evaluation.metrics import Matrix, Score, matrix
from straylight.evaluation.preflight.finding import Finding


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


@dataclass(frozen=True)
class NaturalInfo:
    """The photographs the attacks were made from.

    Attributes:
        examples: A file with a few of them (uint8, NCHW).
        adapted: What was made of them by adaptation to the classifier, if a method asked for it:
            ``n``, ``sha256``, a file of ``examples``, the ``statistic`` (see `Adapted`),
            ``distance_before`` and ``distance_after`` by it, the ``style``, ``settings``,
            ``n_forward``, ``n_backward`` and ``seconds``. Its cost is not in that of the attacks.
        examples_sha256: Digest of the file of examples (empty: an older audit, which did not record it).
        kind: ``photographs``, ``crops`` of some, or ``drawings`` (None: an older audit).
        n_distinct: How many different pictures lie behind them (None: an older audit).
    """

    spec: str
    n: int
    sha256: str
    skipped: tuple[Json, ...]
    examples: str
    adapted: Json | None = None
    examples_sha256: str = ""
    kind: str | None = None
    n_distinct: int | None = None


@dataclass(frozen=True)
class CohortInfo:
    """The medical images the audit was scored on.

    Attributes:
        clean_confusion: Rows: true class; columns: prediction without a perturbation.
        note: What a reader must know of the images, such as that they are synthetic.
        examples: A few of the images, if the user let them be shown: ``file`` (uint8, NCHW),
            ``labels``, predictions ``clean`` and ``attacked``, and the name of the ``perturbation``.
        value_ranges: How the values of the images became 8 bits: for each way ``how``, the number ``n``,
            and the least and greatest of the values that became black (``darkest``) and white
            (``lightest``). None: an older audit, which did not say.
    """

    spec: str
    n: int
    sha256: str
    skipped: tuple[Json, ...]
    class_names: tuple[str, ...]
    clean_confusion: Matrix
    note: str
    examples: Json | None
    value_ranges: tuple[Json, ...] | None = None

    @property
    def clean(self) -> Score:
        """The score of no perturbation."""
        predicted = [sum(column) for column in zip(*self.clean_confusion, strict=True)]
        size = range(len(predicted))
        diagonal = tuple(tuple(predicted[i] * (i == j) for j in size) for i in size)
        return Score(self.clean_confusion, diagonal, 0)


@dataclass(frozen=True)
class Budget:
    """How large a perturbation may be.

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


@dataclass(frozen=True)
class Perturbation:
    """One perturbation and what it did.

    Attributes:
        role: ``attack``, ``control`` or ``reference``.
        threat_model: T1 (classifier and photographs), T2 (public backbone and photographs), T0 (no
            model), ``oracle`` (medical images were used: an upper bound).
        method: Its name and settings.
        source: What it learned on: ``photographs``, ``adapted``, ``medical``, or None (a control).
        target: Class name, or None.
        copy_of: Name of the perturbation whose spectrum a control copies, or None.
        images_seen: Photographs looked at, with repetition.
        n_forward, n_backward: Images sent through the classifier to make it.
        seconds: Wall time to make it.
        l2, linf: Its norms, on images in [0, 1].
        file: Its `.npy`, float32 (1, C, H, W), relative to the audit's folder.
        curve: The attack on its way, if asked for: ``images_seen``, ``model_passes``, ``seconds`` and
            ``n_fooled`` at some points. Nothing is chosen by it.
        sha256: Digest of the file (empty: an older audit, which did not record it).
        n_distinct_seen: Different photographs (or views of `source`) looked at (None: a control, or an
            older audit).
    """

    name: str
    role: str
    threat_model: str
    method: Json
    source: str | None
    target: str | None
    copy_of: str | None
    seed: int
    images_seen: int
    n_forward: int
    n_backward: int
    seconds: float
    score: Score
    l2: float
    linf: float
    file: str
    curve: tuple[Json, ...] = ()
    sha256: str = ""
    n_distinct_seen: int | None = None

    def to_json(self, class_names: tuple[str, ...]) -> Json:
        """Return the counts with the rates derived from them."""
        fields = {key: value for key, value in known(self).items() if key != "score"}
        found = self.score
        target = None if self.target is None else class_names.index(self.target)
        hit = None if target is None else found.hit(target)
        moved = None if target is None else found.hit_from_elsewhere(target)
        return fields | {
            "model_passes": self.n_forward + self.n_backward,
            "n": found.n,
            "n_fooled": found.fooled.hits,
            "fooling_rate": found.fooled.rate,
            "fooling_rate_ci95": found.fooled.ci95,
            "n_fooled_raw": found.n_fooled_raw,
            "fooling_rate_raw": found.fooled_raw.rate,
            "targeted_success_rate": hit and hit.rate,
            "targeted_success_rate_ci95": hit and hit.ci95,
            "targeted_success_rate_from_elsewhere": moved and moved.rate,
            "n_from_elsewhere": moved and moved.n,
            "accuracy": found.correct.rate,
            "recalls": [recall.rate for recall in found.recalls],
            "dominant_class": class_names[found.dominant_class],
            "dominant_share": found.dominant.rate,
            "ceiling": found.ceiling.rate,
            "confusion": found.confusion,
            "transitions": found.transitions,
        }

    @classmethod
    def from_json(cls, data: Json) -> "Perturbation":
        """Read the counts back; rates are derived anew."""
        names = [name for name in cls.__dataclass_fields__ if name != "score" and name in data]
        score = Score(matrix(data["confusion"]), matrix(data["transitions"]), data["n_fooled_raw"])
        fields = {name: data[name] for name in names} | {"curve": tuple(data["curve"])}
        return cls(**fields, score=score)


CELLS = (str, int, float, type(None))  # what fits into one cell of a table


def flat(item: Json) -> Json:
    """Write a perturbation as one row: its method by name, intervals as two columns."""
    row: Json = {}
    for key, value in item.items():
        if key.endswith("_ci95"):
            row[f"{key}_low"], row[f"{key}_high"] = value or (None, None)
        elif key == "method":
            row[key] = value["name"]
        elif isinstance(value, CELLS):
            row[key] = value
    return row


# Fields that older audits do not have.
LATER = ("kind", "n_distinct", "n_distinct_seen", "value_ranges", "sha256", "examples_sha256")


def known(part: NaturalInfo | CohortInfo | Perturbation) -> Json:
    """Return the fields of a part, without those that an older audit does not have."""
    return {k: v for k, v in vars(part).items() if v not in (None, "") or k not in LATER}


@dataclass(frozen=True)
class Audit:
    """Everything that a report needs, but for the perturbations' pixels.

    Attributes:
        preflight: What was found before any attack (None: an older audit, which did not look).
    """

    model: ModelInfo
    natural: NaturalInfo
    cohort: CohortInfo
    budget: Budget
    perturbations: tuple[Perturbation, ...]
    environment: Json
    preflight: tuple[Finding, ...] | None = None

    def of_role(self, role: str) -> list[Perturbation]:
        """Return the perturbations of a role, in order."""
        return [item for item in self.perturbations if item.role == role]

    def to_json(self) -> Json:
        clean = self.cohort.clean
        found = {} if self.preflight is None else {"preflight": [vars(f) for f in self.preflight]}
        return {
            "schema": SCHEMA,
            "model": vars(self.model),
            "natural": known(self.natural),
            "cohort": known(self.cohort)
            | {
                "counts": {
                    name: sum(row)
                    for name, row in zip(self.cohort.class_names, clean.confusion, strict=True)
                },
                "clean_accuracy": clean.correct.rate,
                "clean_accuracy_ci95": clean.correct.ci95,
            },
            "budget": vars(self.budget),
            "perturbations": [item.to_json(self.model.class_names) for item in self.perturbations],
            "environment": self.environment,
        } | found

    def to_pandas(self) -> Any:  # noqa: ANN401 (pandas is not required)
        """Return a `pandas.DataFrame` with a row for each perturbation.

        The columns are those of ``perturbations`` in `audit.json`, with their rates; an interval is two
        columns, ``..._low`` and ``..._high``, and what is a table of its own (confusions, settings, the
        curve) is left out.

        Raises:
            InputError: If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise InputError("to_pandas needs pandas: pip install pandas.") from error
        return pandas.DataFrame(
            [flat(item.to_json(self.model.class_names)) for item in self.perturbations]
        )

    @classmethod
    def from_json(cls, data: Any) -> "Audit":  # noqa: ANN401
        """Read an audit back.

        Raises:
            jsonschema.ValidationError: If it does not follow the published schema.
            ValueError: If its parts contradict each other.
        """
        check_form(data)
        check_consistent(data)
        stored = data
        data = {
            key: dict(value) if isinstance(value, dict) else value for key, value in data.items()
        }
        for part in ("counts", "clean_accuracy", "clean_accuracy_ci95"):
            del data["cohort"][part]
        data["cohort"]["clean_confusion"] = matrix(data["cohort"]["clean_confusion"])
        for part, name in (("model", "class_names"), ("cohort", "class_names")):
            data[part][name] = tuple(data[part][name])
        for part in ("natural", "cohort"):
            data[part]["skipped"] = tuple(data[part]["skipped"])
        if "value_ranges" in data["cohort"]:
            data["cohort"]["value_ranges"] = tuple(data["cohort"]["value_ranges"])
        found = data.get("preflight")
        audit = cls(
            model=ModelInfo(**data["model"]),
            natural=NaturalInfo(**data["natural"]),
            cohort=CohortInfo(**data["cohort"]),
            budget=Budget(**data["budget"]),
            perturbations=tuple(map(Perturbation.from_json, data["perturbations"])),
            environment=data["environment"],
            preflight=None if found is None else tuple(Finding(**item) for item in found),
        )
        check_derived(stored, audit.to_json())
        return audit


def check_derived(stored: Json, derived: Json) -> None:
    """Check that what a file says of its counts, such as rates, is what they give.

    Raises:
        ValueError: If not; the message says where.
    """
    pairs = [("cohort", stored["cohort"], derived["cohort"])]
    both = zip(stored["perturbations"], derived["perturbations"], strict=True)
    pairs += [(f"perturbations/{k}", *items) for k, items in enumerate(both)]
    for where, given, right in pairs:
        for key in DERIVED & given.keys():
            if not agree(given[key], right[key]):
                raise ValueError(f"{where}/{key} is not what its counts give")


DERIVED = {
    *("counts", "clean_accuracy", "clean_accuracy_ci95", "model_passes", "n", "n_fooled"),
    *("fooling_rate", "fooling_rate_ci95", "fooling_rate_raw", "targeted_success_rate"),
    *("targeted_success_rate_ci95", "targeted_success_rate_from_elsewhere", "n_from_elsewhere"),
    *("accuracy", "recalls", "dominant_class", "dominant_share", "ceiling"),
}


def agree(given: Any, right: Any) -> bool:  # noqa: ANN401
    """Report whether two values are the same, but for the rounding of numbers."""
    if isinstance(right, list | tuple):
        same = isinstance(given, list) and len(given) == len(right)
        return same and all(map(agree, given, right))
    if isinstance(right, float) and isinstance(given, int | float):
        return math.isclose(given, right, rel_tol=1e-9, abs_tol=1e-9)
    return bool(given == right)
