"""Sections of an audit are read back as they were written, of this version or another."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fixed_audit import NAMES, fixed_audit
from straylight.audit.sections import (
    CohortInfo,
    EnvironmentInfo,
    ExamplesInfo,
    ModelInfo,
    NaturalInfo,
)

AUDIT = fixed_audit()


def through_json(section: object) -> Any:  # noqa: ANN401
    return json.loads(json.dumps(section))


def test_sections_are_read_back_as_they_were_written() -> None:
    assert ModelInfo.from_json(through_json(vars(AUDIT.model))) == AUDIT.model
    examples = replace(AUDIT.cohort.examples, sha256="e" * 64)
    ranges = ({"how": "as they are", "n": 60, "darkest": [0, 0], "lightest": [255, 255]},)
    for cohort in (
        AUDIT.cohort,
        replace(AUDIT.cohort, examples=None),
        replace(AUDIT.cohort, examples=examples, value_ranges=ranges),
    ):
        assert CohortInfo.from_json(through_json(cohort.to_json())) == cohort
    assert ExamplesInfo.from_json(through_json(examples.to_json())) == examples
    for natural in (
        AUDIT.natural,
        replace(AUDIT.natural, adapted=None, kind="crops", n_distinct=11, examples_sha256="f" * 64),
    ):
        assert NaturalInfo.from_json(through_json(natural.to_json())) == natural


def test_what_an_older_audit_lacks_is_not_written() -> None:
    older = {"spec", "n", "sha256", "skipped", "examples", "adapted"}
    assert AUDIT.natural.to_json().keys() == older
    now = replace(AUDIT.natural, kind="crops", n_distinct=0, examples_sha256="f" * 64)
    assert now.to_json().keys() == older | {"kind", "n_distinct", "examples_sha256"}
    assert "value_ranges" not in AUDIT.cohort.to_json()
    assert "timm" not in AUDIT.environment.to_json()


def test_a_later_versions_environment_is_kept() -> None:
    written = AUDIT.environment.to_json() | {"accelerator": "none", "threads_of": {"blas": 1}}
    found = EnvironmentInfo.from_json(through_json(written))
    assert found.to_json() == written
    assert found.more == {"accelerator": "none", "threads_of": {"blas": 1}}
    assert replace(found, more={}) == AUDIT.environment


def test_the_clean_score_by_hand() -> None:
    """Of 60 images 18 + 17 + 20 are right, and nothing is moved: 20, 18 and 22 are predicted."""
    clean = AUDIT.cohort.clean
    assert (clean.correct.hits, clean.n, clean.fooled.hits) == (55, 60, 0)
    assert clean.transitions == ((20, 0, 0), (0, 18, 0), (0, 0, 22))
    written = AUDIT.cohort.to_json()
    assert written["counts"] == dict.fromkeys(NAMES, 20)
    assert written["clean_accuracy"] == pytest.approx(55 / 60)
