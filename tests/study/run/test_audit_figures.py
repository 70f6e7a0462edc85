"""The figures of an audit in the index are counts of its predictions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from straylight.audit.storage import load_audit
from straylight.core.errors import InputError
from straylight.study.run.audit_figures import audit_figures
from straylight.study.run.index import INDEX, StudyIndex
from straylight.study.run.record import CELLS


def test_the_index_holds_counts_that_are_those_of_the_audits(undisturbed: Path) -> None:
    index = StudyIndex(undisturbed / INDEX)
    rows = index.rows("SELECT * FROM perturbations")
    pairs = index.rows("SELECT * FROM pairs")
    index.close()
    audits = {
        folder.name: json.loads((folder / "audit.json").read_text())["perturbations"]
        for folder in (undisturbed / CELLS).glob("audit-*")
    }
    assert len(rows) == sum(map(len, audits.values())) == 3 * 8
    fooled = {(name, item["name"]): item["n_fooled"] for name in audits for item in audits[name]}
    assert {(row["cell"], row["name"]): row["n_fooled"] for row in rows} == fooled
    for found in pairs:
        cell, target = found["cell"], found["attack"] == "gradient to light"
        difference = found["only_attack"] - found["only_control"]
        if not target:
            assert found["n_control"] == fooled[cell, found["control"]]
            assert difference == fooled[cell, found["attack"]] - found["n_control"]
    assert len(pairs) == 3 * 2 * 5


def test_pairs_are_counted_image_by_image(undisturbed: Path) -> None:
    for folder in (undisturbed / CELLS).glob("audit-*"):
        audit = load_audit(folder)
        names = audit.model.class_names
        clean = np.load(folder / "predictions" / "clean.npy").tolist()
        made = {item.name: item for item in audit.perturbations}
        pairs = audit_figures(audit, folder)["pairs"]
        assert len(pairs) == 2 * 5
        for pair in pairs:
            target = made[pair["attack"]].target
            moved = []
            for name in (pair["attack"], pair["control"]):
                file = folder / "predictions" / Path(made[name].file).name
                moved.append(
                    {
                        number
                        for number, (before, after) in enumerate(
                            zip(clean, np.load(file).tolist(), strict=True)
                        )
                        if before != after and (target is None or names[after] == target)
                    }
                )
            attack, control = moved
            assert pair["only_attack"] == len(attack - control)
            assert pair["only_control"] == len(control - attack)
            assert pair["n_control"] == len(control)


@pytest.mark.parametrize("harm", ["other", "short", "outside", "gone"])
def test_predictions_that_are_not_those_of_the_audit_are_refused(
    harm: str, undisturbed: Path, tmp_path: Path
) -> None:
    cell = min((undisturbed / CELLS).glob("audit-*"))
    folder = shutil.copytree(cell, tmp_path / "cell")
    audit = load_audit(folder)
    path = folder / "predictions" / Path(audit.perturbations[0].file).name
    found = np.load(path)
    if harm == "other":
        np.save(path, 1 - found)
    elif harm == "short":
        np.save(path, found[:-1])
    elif harm == "outside":
        np.save(path, np.where(np.arange(len(found)) == 0, 2, found))
    else:
        path.unlink()
    said = (
        "cannot be read"
        if harm == "gone"
        else f"does not match the counts of {audit.perturbations[0].name}"
    )
    with pytest.raises(InputError, match=f"{said}.* delete the cell's folder"):
        audit_figures(audit, folder)
