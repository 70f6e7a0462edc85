"""The results of an audit as a table."""

import json
from pathlib import Path

import straylight
from shades import Parts, quick
from straylight.core.progress import Silent


def test_a_table_of_pandas_holds_what_is_written(shades: Parts, tmp_path: Path) -> None:
    plan = quick(targets="light")
    frame = straylight.run(plan, *shades, tmp_path, tracker=Silent()).to_pandas()
    written = json.loads((tmp_path / "audit.json").read_text())["perturbations"]
    assert len(frame) == len(written)
    assert frame.columns.is_unique
    for (_, row), item in zip(frame.iterrows(), written, strict=True):
        assert row["method"] == item["method"]["name"]
        for key in ("name", "role", "n", "n_fooled", "fooling_rate", "accuracy", "l2", "file"):
            assert row[key] == item[key]
        assert [row["fooling_rate_ci95_low"], row["fooling_rate_ci95_high"]] == item[
            "fooling_rate_ci95"
        ]
        if item["targeted_success_rate"] is not None:
            assert row["targeted_success_rate"] == item["targeted_success_rate"]
