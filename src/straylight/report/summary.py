"""The top of the page: the answer in one sentence, and what was audited."""

from dataclasses import dataclass
from typing import Any

from straylight.audit.results import Audit, Budget, NaturalInfo, Perturbation
from straylight.audit.schema import Json
from straylight.evaluation.metrics import percent
from straylight.evaluation.preflight.finding import Finding
from straylight.report.effort import kind_of, learned_on, looks, pictures, weak_runs
from straylight.report.tables import (
    GAP,
    Pairs,
    counted,
    flatten,
    interval,
    isolated,
    number,
    of,
    share,
)
from straylight.report.verdict import RULE, Verdict, Word

THREAT_MODELS = {
    "T1": "the attacker has the classifier and photographs, and no medical image",
    "T2": "the attacker has only the public backbone and photographs",
    "T0": "no model is used",
    "oracle": "something was learned or chosen with medical images",
}


STATISTICS = {
    "moments": "brought to the statistics that the classifier's batch norms remember of its own images",
    "indecision": (
        "brought to where the classifier decides, for all classes alike, since it has no batch norm "
        "that remembers its own images"
    ),
}


@dataclass(frozen=True)
class Headline:
    """The answer in one sentence, the verdict, and what both rest on."""

    word: Word
    reason: str
    sentence: str
    basis: Pairs
    rule: Pairs


def make_headline(audit: Audit, verdict: Verdict) -> Headline:
    """Answer the question of the page from the counts."""
    attack, noise = verdict.strongest, verdict.noise
    fooled = attack.score.fooled
    sentence = (
        f"One perturbation made {learned_on(audit, attack)} changes {share(fooled)} of the predictions "
        f"(95{GAP}% interval {interval(fooled)}); random noise of the same budget changes at most "
        f"{share(noise.score.fooled)}."
    )
    clean = audit.cohort.clean.correct
    basis = [
        (
            "Strongest attack",
            f"{said(attack)}: {choice(verdict.n_attacks, 'attack')}",
        ),
        ("Learned on", looks(audit, attack)),
        (
            "Random noise",
            f"{said(noise)}: {choice(verdict.n_noises, 'random control')}",
        ),
    ]
    if verdict.pattern is not None:
        basis.append(("Procedural pattern", said(verdict.pattern)))
    if verdict.copy is not None:
        basis.append(("Noise with the attack's spectrum", said(verdict.copy)))
    basis.append(
        ("Accuracy", f"{share(clean)} without, {share(attack.score.correct)} under attack")
    )
    rule = tuple((word, RULE[word]) for word in RULE)
    return Headline(verdict.word, verdict.reason, sentence, tuple(basis), rule)


def choice(n: int, noun: str) -> str:
    """Say over how many the maximum was taken.

    >>> choice(1, "attack"), choice(3, "attack")
    ('the only attack scored', 'the maximum over 3 attacks scored')
    """
    return f"the only {noun} scored" if n == 1 else f"the maximum over {number(n)} {noun}s scored"


def said(item: Perturbation) -> str:
    """Write a perturbation's name and fooling rate."""
    fooled = item.score.fooled
    return f"{isolated(item.name)}, {share(fooled)} ({of(fooled)}; interval {interval(fooled)})"


@dataclass(frozen=True)
class Subject:
    """What was audited, and what a reader must know of it."""

    note: str
    warning: str
    weak: tuple[str, ...]
    findings: tuple[Finding, ...]
    facts: Pairs
    threat_models: Pairs
    digests: Pairs
    card: Pairs


def make_subject(audit: Audit) -> Subject:
    """Say what was audited."""
    return Subject(
        note=audit.cohort.note,
        warning=warn_of_chance(audit) if audit.preflight is None else "",
        weak=weak_runs(audit),
        findings=tuple(f for f in audit.preflight or () if f.level == "warning"),
        facts=make_facts(audit),
        threat_models=used_threat_models(audit),
        digests=(
            ("Classifier", audit.model.sha256),
            ("Medical images", audit.cohort.sha256),
            (title_of(audit.natural), audit.natural.sha256),
        ),
        card=flatten(audit.model.card),
    )


def warn_of_chance(audit: Audit) -> str:
    """Say so if the classifier was not shown to be better than the most frequent class."""
    clean = audit.cohort.clean
    if clean.correct.ci95[0] > clean.constant.rate:
        return ""
    return (
        f"Without any attack the classifier is right for {share(clean.correct)} of these images "
        f"(95{GAP}% interval {interval(clean.correct)}). Always answering the most frequent "
        f"class would be right for {share(clean.constant)}. What an attack does to such a classifier "
        "says little."
    )


def make_facts(audit: Audit) -> Pairs:
    """Say what was audited, on what, with what."""
    model, cohort, natural = audit.model, audit.cohort, audit.natural
    clean = cohort.clean
    classes = ", ".join(
        f"{isolated(name)} {number(sum(row))}"
        for name, row in zip(cohort.class_names, clean.confusion, strict=True)
    )
    colour = "grey" if model.channels == 1 else "RGB"
    size = f"{model.width} \N{MULTIPLICATION SIGN} {model.height}"
    return (
        ("Classifier", f"{isolated(model.spec)}; input {size} pixels, {colour}"),
        ("Medical images", f"{isolated(cohort.spec)}; {number(cohort.n)} images ({classes})"),
        *make_ranges(cohort.value_ranges),
        (
            "Accuracy without attack",
            f"{share(clean.correct)} ({of(clean.correct)}; "
            f"95{GAP}% interval {interval(clean.correct)})",
        ),
        (title_of(natural), f"{isolated(natural.spec)}; {pictures(natural)}"),
        *make_adapted(natural.adapted),
        ("Budget", describe(audit.budget)),
        *make_preflight(audit.preflight),
    )


def make_ranges(ranges: tuple[Json, ...] | None) -> Pairs:
    """Say which values became black and white."""
    if ranges is None:
        return ()
    ways = [
        f"{row['how']}, {edges(row['darkest'])} to {edges(row['lightest'])} ({counted(row['n'], 'image')})"
        for row in ranges
    ]
    return (("Black to white", "; ".join(ways)),)


def edges(ends: list[Any]) -> str:
    """Write one value, or the least and the greatest of several.

    >>> edges([0, 0]), edges([-1024, 4095.5])
    ('0', '[-1024, 4095.5]')
    """
    least, greatest = (f"{end:.6g}" for end in ends)
    return least if least == greatest else f"[{least}, {greatest}]"


def title_of(natural: NaturalInfo) -> str:
    """Return what the attacker's images are called."""
    return "Drawings" if kind_of(natural) == "drawings" else "Photographs"


def make_preflight(findings: tuple[Finding, ...] | None) -> Pairs:
    """Say what was found before any attack, with the notes in full."""
    if findings is None:
        return ()
    notes = [finding.message for finding in findings if finding.level == "note"]
    n = len(findings) - len(notes)
    warnings = f"{counted(n, 'warning')} (above)." if n else "no warning."
    return (("Preflight", " ".join([warnings, *notes])),)


def make_adapted(adapted: Json | None) -> Pairs:
    """Say what was made of the photographs, and what that took."""
    if adapted is None:
        return ()
    views = f"{number(adapted['n'])} crops and mixes"
    cost = f"{number(adapted['n_forward'] + adapted['n_backward'])} model passes"
    before, after = adapted["distance_before"], adapted["distance_after"]
    change = f"distance {before:.3g} before, {after:.3g} after"
    return (
        (
            "Adapted photographs",
            f"{views}, {STATISTICS[adapted['statistic']]} ({change}; {cost}); no medical image was used",
        ),
    )


def describe(budget: Budget) -> str:
    """Say how large a perturbation may be."""
    levels = f"{budget.eps_rms_levels:.1f} of 255 grey levels"
    if budget.norm == "linf":
        norm, meaning = "L∞", f"no pixel changes by more than {levels}"
    else:
        norm, meaning = "L2", f"root mean square at most {levels}"
    radius = f"{norm} norm at most ε = {budget.eps:.4g} on images in [0, 1]"
    if budget.zeta is not None:
        radius += f", which is ζ = {percent(budget.zeta)}{GAP}% of the medical images' mean norm"
    return f"{radius}; {meaning}"


def used_threat_models(audit: Audit) -> Pairs:
    """Explain the threat models that occur among attacks and references."""
    shown = [*audit.of_role("attack"), *audit.of_role("reference")]
    used = {item.threat_model for item in shown}
    return tuple((name, text) for name, text in THREAT_MODELS.items() if name in used)
