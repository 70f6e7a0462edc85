"""A perturbation is written with the rates of its counts, and read back from the counts."""

import json
from dataclasses import replace

import pytest
from scipy.stats import binomtest

from fixed_audit import NAMES, fixed_audit
from straylight.audit.perturbation import MethodInfo, Perturbation

ITEMS = {item.name: item for item in fixed_audit().perturbations}


@pytest.mark.parametrize("name", ITEMS)
def test_it_is_read_back_as_it_was_written(name: str) -> None:
    for item in (ITEMS[name], replace(ITEMS[name], sha256="a" * 64, n_distinct_seen=7)):
        assert Perturbation.from_json(json.loads(json.dumps(item.to_json(NAMES)))) == item


def test_rates_by_hand() -> None:
    """Transitions (4, 16, 0), (1, 17, 0), (2, 9, 11): 28 of 60 are moved, 42 are seen as benign."""
    written = ITEMS["gradient"].to_json(NAMES)
    assert (written["n"], written["n_fooled"], written["n_fooled_raw"]) == (60, 28, 29)
    assert written["fooling_rate"] == pytest.approx(28 / 60)
    interval = binomtest(28, 60).proportion_ci(method="wilson")
    assert written["fooling_rate_ci95"] == pytest.approx((interval.low, interval.high))
    assert written["fooling_rate_raw"] == pytest.approx(29 / 60)
    assert written["accuracy"] == pytest.approx((2 + 19 + 11) / 60)
    assert written["recalls"] == pytest.approx([2 / 20, 19 / 20, 11 / 20])
    assert (written["dominant_class"], written["dominant_share"]) == ("benign", 42 / 60)
    assert written["ceiling"] == pytest.approx((60 - 18) / 60)
    assert written["model_passes"] == 10600 + 9600
    assert written["targeted_success_rate"] is None
    assert [point["n_fooled"] for point in written["curve"]] == [6, 15, 24, 28]


def test_rates_of_a_target_by_hand() -> None:
    """All 60 are seen as benign, 18 of them without the perturbation as well."""
    written = ITEMS["gradient to benign"].to_json(NAMES)
    assert written["targeted_success_rate"] == 1.0
    assert written["targeted_success_rate_from_elsewhere"] == 1.0
    assert written["n_from_elsewhere"] == 60 - 18


@pytest.mark.parametrize(
    ("method", "written"),
    [
        (MethodInfo("gabor"), {"name": "gabor"}),
        (MethodInfo("sga", {"steps": 3}), {"name": "sga", "steps": 3}),
        (
            MethodInfo("Own", {"name": "x", "steps": 3}, "own:Own", "b" * 64),
            {
                "name": "Own",
                "settings": {"name": "x", "steps": 3},
                "class": "own:Own",
                "source_sha256": "b" * 64,
            },
        ),
        (  # an attack of the catalogue may have a setting of any name
            MethodInfo("later", {"settings": {"a": 1}, "class": "c"}),
            {"name": "later", "settings": {"a": 1}, "class": "c"},
        ),
    ],
)
def test_settings_of_ones_own_attack_stand_apart(
    method: MethodInfo, written: dict[str, object]
) -> None:
    assert method.to_json() == written
    assert MethodInfo.from_json(written) == method
    assert method.is_custom == ("source_sha256" in written)
