"""The verdict follows from the counts, by a fixed rule."""

from dataclasses import replace
from pathlib import Path

import pytest

import straylight
from fixed_audit import fixed_audit
from shades import Parts, brightness, cohort_of, quick
from straylight import Audit
from straylight.cli.main import main
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.evaluation.metrics import Proportion
from straylight.report.render import render
from straylight.report.verdict import judge_rates, reach_verdict


def test_a_procedural_pattern_is_told_but_decides_nothing() -> None:
    audit = fixed_audit()
    verdict = reach_verdict(audit)
    assert verdict.noise.name == "random-sphere 2"
    assert verdict.pattern is not None
    assert verdict.pattern.name == "perlin 1"
    assert verdict.n_noises == 2


@pytest.mark.parametrize("role", ["attack", "control"])
def test_nothing_to_compare_is_an_error(folder: Path, role: str) -> None:
    audit = fixed_audit()
    kept = tuple(item for item in audit.perturbations if item.role != role)
    with pytest.raises(InputError, match="the audit has no"):
        render(replace(audit, perturbations=kept), folder)


@pytest.mark.parametrize(
    ("attack", "noise", "word"),
    [
        (Proportion(0, 500), Proportion(0, 500), "not shown"),
        (Proportion(30, 500), Proportion(20, 500), "not shown"),
        (Proportion(500, 500), Proportion(480, 500), "weakened"),
        (Proportion(40, 500), Proportion(0, 500), "weakened"),  # 8 %: below the floor
        (Proportion(300, 500), Proportion(101, 500), "weakened"),  # less than three times
        (Proportion(300, 500), Proportion(100, 500), "broken"),
        (Proportion(500, 500), Proportion(0, 500), "broken"),
    ],
)
def test_judge(attack: Proportion, noise: Proportion, word: str) -> None:
    assert judge_rates(attack, noise) == word


def test_no_verdict_where_preflight_has_none(
    shades: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, photographs, cohort = shades
    for sign, levels, reason in (
        (-1.0, (110, 150), "With the classes in the order light, dark"),
        (1.0, (150, 190), "All 40 images are predicted as light"),
        (1.0, (150, 150), "All 40 images are predicted as light"),
    ):
        out = tmp_path / f"{sign} {levels}"
        subject = cohort if levels == (110, 150) else cohort_of(levels)
        audit = straylight.run(
            quick(), brightness(sign), photographs, subject, out, tracker=Silent()
        )
        verdict = reach_verdict(audit)
        assert verdict.word == "no verdict"
        assert verdict.reason.startswith(reason)
        page = render(audit, out)
        assert '<p class="verdict no-verdict">' in page
        assert reason in page
        main(["report", str(out)])
        assert f"Verdict: no verdict. {reason}" in capsys.readouterr().out
    sound = straylight.run(quick(), *shades, tmp_path / "sound", tracker=Silent())
    assert reach_verdict(sound).word != "no verdict"
    page = render(sound, tmp_path / "sound")
    assert "gradient ran with steps 2 and batch size 4, where 300 and 32 are usual" in page


def test_of_an_older_audit_the_counts_are_looked_at() -> None:
    audit = fixed_audit()
    old = Audit(**vars(audit) | {"preflight": None})
    assert reach_verdict(old).word == "broken"
    weak = type(audit.cohort)(**vars(audit.cohort) | {"clean_confusion": ((7, 7, 6),) * 3})
    verdict = reach_verdict(Audit(**vars(old) | {"cohort": weak}))
    assert verdict.word == "no verdict"
    assert "The balanced accuracy is 33.3 %, where guessing has 33.3 %" in verdict.reason
