"""Files that follow the schema and contradict themselves are refused."""

import json
from pathlib import Path

import pytest

from straylight.audit.results import Audit
from straylight.audit.storage import load_audit
from straylight.core.errors import InputError


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("perturbations", 0, "confusion"), [[24, 0]], "perturbations/0/confusion is not 2 x 2"),
        (("perturbations", 1, "transitions"), [[1, 0], [0, 1]], "does not count 24 images"),
        (("perturbations", 2, "target"), "blue", "perturbations/2/target is not a class"),
        (("perturbations", 2, "n_fooled_raw"), 25, "n_fooled_raw exceeds the 24 images"),
        (("cohort", "class_names"), ["a", "b"], "cohort/class_names differ"),
    ],
)
def test_an_audit_that_contradicts_itself_is_refused(
    finished: tuple[Audit, Path], tmp_path: Path, path: tuple[str, ...], value: object, message: str
) -> None:
    data = json.loads((finished[1] / "audit.json").read_text())
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    (tmp_path / "audit.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=message):
        load_audit(tmp_path)
