"""The headline of the page: the answer in one sentence, the verdict, and the figures behind both."""

from dataclasses import dataclass

from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.report.effort import (
    describe_images_seen,
    describe_training_images,
)
from straylight.report.tables import (
    NO_BREAK_SPACE,
    Pairs,
    format_count,
    format_hits,
    format_interval,
    format_proportion,
    isolate_direction,
)
from straylight.report.verdict import RULE, Verdict, VerdictWord


@dataclass(frozen=True)
class Headline:
    """The answer in one sentence, the verdict, and the figures behind both."""

    word: VerdictWord
    reason: str
    sentence: str
    basis: Pairs
    rule: Pairs


def make_headline(audit: Audit, verdict: Verdict) -> Headline:
    """Return the headline of an audit."""
    attack, noise = verdict.strongest, verdict.noise
    fooled = attack.score.fooled
    sentence = (
        f"One perturbation made {describe_training_images(audit, attack)} changes "
        f"{format_proportion(fooled)} of the predictions (95{NO_BREAK_SPACE}% interval "
        f"{format_interval(fooled)}); random noise of the same budget changes at most "
        f"{format_proportion(noise.score.fooled)}."
    )
    clean = audit.cohort.clean.correct
    basis = [
        (
            "Strongest attack",
            f"{_format_result(attack)}: {_describe_choice(verdict.n_attacks, 'attack')}",
        ),
        ("Learned on", describe_images_seen(audit, attack)),
        (
            "Random noise",
            f"{_format_result(noise)}: {_describe_choice(verdict.n_noises, 'random control')}",
        ),
    ]
    if verdict.pattern is not None:
        basis.append(("Procedural pattern", _format_result(verdict.pattern)))
    if verdict.copy is not None:
        basis.append(("Noise with the attack's spectrum", _format_result(verdict.copy)))
    basis.append(
        (
            "Accuracy",
            f"{format_proportion(clean)} without, {format_proportion(attack.score.correct)} under attack",
        )
    )
    rule = tuple((word, RULE[word]) for word in RULE)
    return Headline(verdict.word, verdict.reason, sentence, tuple(basis), rule)


def _describe_choice(n: int, noun: str) -> str:
    """Describe how many perturbations the maximum was taken over.

    >>> _describe_choice(1, "attack"), _describe_choice(3, "attack")
    ('the only attack scored', 'the maximum over 3 attacks scored')
    """
    return (
        f"the only {noun} scored"
        if n == 1
        else f"the maximum over {format_count(n)} {noun}s scored"
    )


def _format_result(item: Perturbation) -> str:
    """Format a perturbation's name and fooling rate."""
    fooled = item.score.fooled
    counts = f"({format_hits(fooled)}; interval {format_interval(fooled)})"
    return f"{isolate_direction(item.name)}, {format_proportion(fooled)} {counts}"
