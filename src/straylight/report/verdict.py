"""The verdict of an audit: a fixed rule on counts."""

from dataclasses import dataclass
from typing import Literal

from straylight.attacks.catalogue import control_kind
from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit, strongest_of
from straylight.core.errors import InputError
from straylight.evaluation.metrics import Proportion, format_percent, mean_with_interval

VerdictWord = Literal["broken", "weakened", "not shown", "no verdict"]

RATIO = 3
FLOOR = 0.20

RULE: dict[VerdictWord, str] = {
    "broken": (
        "the lower bound of the attack's 95 % interval lies above the upper bound of the noise's; "
        f"it is at least {format_percent(FLOOR, 0)} %; and the attack changes at least {RATIO} times as "
        "many predictions as the noise."
    ),
    "weakened": "the first of these three holds, but not all of them.",
    "not shown": (
        "the two intervals meet: an effect beyond that of random noise was not shown. "
        "This is no proof that there is none."
    ),
    "no verdict": (
        "without any attack the classifier answers at chance or the same for all images, or it is "
        "probably given its images in another way than it was trained with: a changed prediction of such "
        "a classifier says nothing."
    ),
}

# Preflight warnings that make a fooling rate meaningless, causes before consequences. `accuracy` counts
# only where it is that of chance: see `_no_verdict_reason`.
DISQUALIFYING_CHECKS = (
    "outputs",
    "images",
    "constant-images",
    "size",
    "class-order",
    "normalisation",
    "constant",
)


def judge_rates(attack: Proportion, noise: Proportion) -> VerdictWord:
    """Return the verdict on the strongest attack and the strongest random noise, by `RULE`.

    ``broken``: the attack's 95 % interval lies wholly above the noise's, its lower bound is at
    least `FLOOR`, and its rate is at least `RATIO` times the noise's. ``weakened``: it lies above,
    but one of the others fails. ``not shown``: the intervals meet. There is no word for a
    classifier that withstands attacks: one audit cannot show that.

    >>> judge_rates(Proportion(560, 1000), Proportion(40, 1000))
    'broken'
    >>> judge_rates(Proportion(560, 1000), Proportion(300, 1000))
    'weakened'
    >>> judge_rates(Proportion(50, 1000), Proportion(40, 1000))
    'not shown'
    """
    low, high = attack.ci95[0], noise.ci95[1]
    if low <= high:
        return "not shown"
    if low >= FLOOR and attack.hits * noise.n >= RATIO * noise.hits * attack.n:
        return "broken"
    return "weakened"


@dataclass(frozen=True)
class Verdict:
    """The verdict, and the perturbations that it is based on.

    Attributes:
        strongest: The attack with the largest fooling rate, among those made without medical images.
        noise: The random noise with the largest fooling rate. Copies of an attack's spectrum are
            not random noise, since a spectrum carries knowledge about the classifier; nor are
            procedural patterns, which were invented to fool networks.
        pattern: The procedural pattern with the largest fooling rate, if any; the verdict ignores it.
        copy: The copy of the strongest attack's spectrum, if any; the verdict ignores it.
        n_attacks, n_noises: How many attacks and noises the maxima were taken over.
        reason: Why there is no verdict, and what to do.
    """

    word: VerdictWord
    strongest: Perturbation
    noise: Perturbation
    pattern: Perturbation | None
    copy: Perturbation | None
    n_attacks: int
    n_noises: int
    reason: str = ""


def reach_verdict(audit: Audit) -> Verdict:
    """Return the verdict of an audit: its strongest attack against its strongest random noise.

    Raises:
        InputError: If there is no attack made without medical images, or no random noise.
    """
    controls = audit.of_role("control")
    attacks = [item for item in audit.of_role("attack") if item.threat_model != "oracle"]
    noises = [item for item in controls if control_kind(item.method.name) == "noise"]
    patterns = [item for item in controls if control_kind(item.method.name) == "pattern"]
    for found, kind in ((attacks, "attack made without medical images"), (noises, "random noise")):
        if not found:
            raise InputError(f"the audit has no {kind}: run it again with one.")
    strongest, noise = strongest_of(attacks), strongest_of(noises)
    reason = _no_verdict_reason(audit)
    copies = [item for item in controls if item.copy_of == strongest.name]
    return Verdict(
        word="no verdict" if reason else judge_rates(strongest.score.fooled, noise.score.fooled),
        strongest=strongest,
        noise=noise,
        pattern=strongest_of(patterns) if patterns else None,
        copy=strongest_of(copies) if copies else None,
        n_attacks=len(attacks),
        n_noises=len(noises),
        reason=reason,
    )


def _no_verdict_reason(audit: Audit) -> str:
    """Return why fooling rates of this classifier mean nothing, and what to do; empty if they do."""
    warned: dict[str, str] = {
        f.check: f.message for f in reversed(audit.preflight or ()) if f.level == "warning"
    }
    for check in DISQUALIFYING_CHECKS:
        if check in warned:
            return warned[check]
    clean = audit.cohort.clean
    recalls = [recall for recall in clean.recalls if recall.n]
    if len(recalls) < 2:
        return ""
    mean, low, _ = mean_with_interval(recalls)
    if low > 1 / len(recalls):
        return ""
    return warned.get("accuracy") or (
        f"The balanced accuracy is {format_percent(mean)} %, where guessing has "
        f"{format_percent(1 / len(recalls))} %: check the order of the classes and the normalisation, and "
        "audit it again."
    )
