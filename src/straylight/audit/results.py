"""The result of an audit: frozen counts, and JSON both ways."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from straylight.audit.consistency import check_consistent, check_derived
from straylight.audit.perturbation import Perturbation
from straylight.audit.schema import SCHEMA, Json, check_form
from straylight.audit.sections import (
    BudgetInfo,
    CohortInfo,
    EnvironmentInfo,
    ModelInfo,
    NaturalInfo,
)
from straylight.core.errors import InputError
from straylight.evaluation.preflight.check_result import CheckResult

_CELLS = (str, int, float, type(None))  # what fits into one cell of a table


def strongest_of(perturbations: Iterable[Perturbation]) -> Perturbation:
    """Return the perturbation with the largest fooling rate (the first of equals)."""
    return max(perturbations, key=lambda item: item.score.fooled.rate)


@dataclass(frozen=True)
class Audit:
    """Everything that a report needs, except the pixels of the perturbations.

    Attributes:
        preflight: Results of the checks before any attack (None: an older audit without preflight).
    """

    model: ModelInfo
    natural: NaturalInfo
    cohort: CohortInfo
    budget: BudgetInfo
    perturbations: tuple[Perturbation, ...]
    environment: EnvironmentInfo
    preflight: tuple[CheckResult, ...] | None = None

    def of_role(self, role: str) -> list[Perturbation]:
        """Return the perturbations of a role, in order."""
        return [item for item in self.perturbations if item.role == role]

    def strongest(self, role: str) -> Perturbation:
        """Return the perturbation of a role with the largest fooling rate (the first of equals).

        Raises:
            ValueError: If there is none.
        """
        return strongest_of(self.of_role(role))

    def strongest_controls(self) -> list[Perturbation]:
        """Return the control of each kind with the largest fooling rate (the first of equals)."""
        controls = self.of_role("control")
        kinds = dict.fromkeys(item.method.name for item in controls)
        return [strongest_of(i for i in controls if i.method.name == kind) for kind in kinds]

    def to_json(self) -> Json:
        """Return the content of `audit.json`: the counts, and the rates derived from them."""
        data = {
            "schema": SCHEMA,
            "model": vars(self.model),
            "natural": self.natural.to_json(),
            "cohort": self.cohort.to_json(),
            "budget": vars(self.budget),
            "perturbations": [item.to_json(self.model.class_names) for item in self.perturbations],
            "environment": self.environment.to_json(),
        }
        if self.preflight is not None:
            data["preflight"] = [vars(result) for result in self.preflight]
        return data

    def to_pandas(self) -> Any:  # noqa: ANN401 (pandas is not required)
        """Return a `pandas.DataFrame` with a row for each perturbation.

        The columns are those of ``perturbations`` in `audit.json`, with their rates; an interval is two
        columns, ``..._low`` and ``..._high``; entries that are tables themselves (confusions, settings,
        the curve) are omitted.

        Raises:
            InputError: If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise InputError("to_pandas needs pandas: pip install pandas.") from error
        return pandas.DataFrame(
            [
                _flatten_perturbation(item.to_json(self.model.class_names))
                for item in self.perturbations
            ]
        )

    @classmethod
    def from_json(cls, data: Any) -> "Audit":  # noqa: ANN401
        """Parse the content of `audit.json`.

        Raises:
            jsonschema.ValidationError: If it does not follow the published schema.
            ValueError: If its parts contradict each other.
        """
        check_form(data)
        check_consistent(data)
        results = data.get("preflight")
        audit = cls(
            model=ModelInfo.from_json(data["model"]),
            natural=NaturalInfo.from_json(data["natural"]),
            cohort=CohortInfo.from_json(data["cohort"]),
            budget=BudgetInfo(**data["budget"]),
            perturbations=tuple(map(Perturbation.from_json, data["perturbations"])),
            environment=EnvironmentInfo.from_json(data["environment"]),
            preflight=None if results is None else tuple(CheckResult(**item) for item in results),
        )
        check_derived(data, audit.to_json())
        return audit


def _flatten_perturbation(item: Json) -> Json:
    """Return a perturbation as one row of cells: its method by name, intervals as two columns."""
    row: Json = {}
    for key, value in item.items():
        if key.endswith("_ci95"):
            row[f"{key}_low"], row[f"{key}_high"] = value or (None, None)
        elif key == "method":
            row[key] = value["name"]
        elif isinstance(value, _CELLS):
            row[key] = value
    return row
