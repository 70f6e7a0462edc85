"""The verdict of an audit: a fixed rule on counts."""

from dataclasses import dataclass
from typing import Literal

from straylight.audit.results import Audit, Perturbation
from straylight.core.errors import InputError
from straylight.evaluation.metrics import Proportion, mean_of, percent

Word = Literal["broken", "weakened", "not shown", "no verdict"]

PATTERNS = ("perlin", "gabor")
RATIO = 3
FLOOR = 0.20

RULE: dict[Word, str] = {
    "broken": (
        "the lower bound of the attack's 95 % interval lies above the upper bound of the noise's; "
        f"it is at least {percent(FLOOR, 0)} %; and the attack changes at least {RATIO} times as "
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

# Warnings of preflight after which a fooling rate says nothing, the cause before what it leads to. Of
# `accuracy` only where it is that of chance: see `void`.
VOID = ("outputs", "images", "constant-images", "size", "class-order", "normalisation", "constant")


def judge(attack: Proportion, noise: Proportion) -> Word:
    """Compare the strongest attack with the largest random noise by `RULE`.

    ``broken``: the attack's 95 % interval lies wholly above the noise's, its lower bound is at
    least `FLOOR`, and its rate is at least `RATIO` times the noise's. ``weakened``: it lies above,
    but one of the others fails. ``not shown``: the intervals meet. There is no word for a
    classifier that withstands: one audit cannot show that.

    >>> judge(Proportion(560, 1000), Proportion(40, 1000))
    'broken'
    >>> judge(Proportion(560, 1000), Proportion(300, 1000))
    'weakened'
    >>> judge(Proportion(50, 1000), Proportion(40, 1000))
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
    """The word, and the perturbations that it rests on.

    Attributes:
        strongest: The attack of the largest fooling rate, of those made without medical images.
        noise: The random control of the largest fooling rate. Copies of an attack's spectrum are
            left out: a spectrum is knowledge of the classifier; so are procedural patterns, which
            were invented to fool networks.
        pattern: The procedural control of the largest fooling rate, if there is one; it decides
            nothing.
        copy: The copy of the strongest attack's spectrum, if there is one; it decides nothing.
        n_attacks, n_noises: How many the first two were chosen from.
        reason: Why there is no verdict, and what to do.
    """

    word: Word
    strongest: Perturbation
    noise: Perturbation
    pattern: Perturbation | None
    copy: Perturbation | None
    n_attacks: int
    n_noises: int
    reason: str = ""


def reach_verdict(audit: Audit) -> Verdict:
    """Find the strongest attack and the largest random noise, and judge them.

    Raises:
        InputError: If there is no attack made without medical images, or no random control.
    """
    controls = audit.of_role("control")
    attacks = [item for item in audit.of_role("attack") if item.threat_model != "oracle"]
    unaware = [item for item in controls if item.copy_of is None]
    noises = [item for item in unaware if item.method["name"] not in PATTERNS]
    patterns = [item for item in unaware if item not in noises]
    for found, kind in ((attacks, "attack made without medical images"), (noises, "random noise")):
        if not found:
            raise InputError(f"the audit has no {kind}: run it again with one.")
    strongest, noise = largest(attacks), largest(noises)
    reason = void(audit)
    copies = [item for item in controls if item.copy_of == strongest.name]
    return Verdict(
        word="no verdict" if reason else judge(strongest.score.fooled, noise.score.fooled),
        strongest=strongest,
        noise=noise,
        pattern=largest(patterns) if patterns else None,
        copy=largest(copies) if copies else None,
        n_attacks=len(attacks),
        n_noises=len(noises),
        reason=reason,
    )


def void(audit: Audit) -> str:
    """Return why a fooling rate of this classifier says nothing, and what to do; nothing if it does."""
    warned: dict[str, str] = {
        f.check: f.message for f in reversed(audit.preflight or ()) if f.level == "warning"
    }
    for check in VOID:
        if check in warned:
            return warned[check]
    clean = audit.cohort.clean
    recalls = [recall for recall in clean.recalls if recall.n]
    if len(recalls) < 2:
        return ""
    mean, low, _ = mean_of(recalls)
    if low > 1 / len(recalls):
        return ""
    return warned.get("accuracy") or (
        f"The balanced accuracy is {percent(mean)} %, where guessing has "
        f"{percent(1 / len(recalls))} %: check the order of the classes and the normalisation, and "
        "audit it again."
    )


def largest(items: list[Perturbation]) -> Perturbation:
    """Return the perturbation of the largest fooling rate (the first of equals)."""
    return max(items, key=lambda item: item.score.fooled.rate)
