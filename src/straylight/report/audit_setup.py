"""The audited parts: the model, the images, the budget and the checks, with warnings for the reader."""

from dataclasses import dataclass
from typing import Any

from straylight.audit.results import Audit
from straylight.audit.schema import Json
from straylight.audit.sections import AdaptedInfo, BudgetInfo, NaturalInfo
from straylight.evaluation.metrics import format_percent
from straylight.evaluation.preflight.check_result import CheckResult
from straylight.report.effort import (
    describe_images,
    image_kind,
    weak_run_warnings,
)
from straylight.report.tables import (
    NO_BREAK_SPACE,
    Pairs,
    flatten_settings,
    format_count,
    format_hits,
    format_interval,
    format_proportion,
    format_quantity,
    isolate_direction,
)

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
class AuditSetup:
    """The audited model, images and budget, with the warnings that a reader needs."""

    note: str
    warning: str
    weak: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    facts: Pairs
    threat_models: Pairs
    digests: Pairs
    card: Pairs


def make_audit_setup(audit: Audit) -> AuditSetup:
    """Return what was audited, with warnings."""
    return AuditSetup(
        note=audit.cohort.note,
        warning=_chance_warning(audit) if audit.preflight is None else "",
        weak=weak_run_warnings(audit),
        checks=tuple(c for c in audit.preflight or () if c.level == "warning"),
        facts=_make_facts(audit),
        threat_models=_list_threat_models(audit),
        digests=(
            ("Classifier", audit.model.sha256),
            ("Medical images", audit.cohort.sha256),
            (_images_title(audit.natural), audit.natural.sha256),
        ),
        card=flatten_settings(audit.model.card),
    )


def _chance_warning(audit: Audit) -> str:
    """Return a warning if the classifier is not shown to be better than always answering one class."""
    clean = audit.cohort.clean
    if clean.correct.ci95[0] > clean.constant.rate:
        return ""
    return (
        f"Without any attack the classifier is right for {format_proportion(clean.correct)} of these "
        f"images (95{NO_BREAK_SPACE}% interval {format_interval(clean.correct)}). Always answering the "
        f"most frequent class would be right for {format_proportion(clean.constant)}. What an attack "
        "does to such a classifier says little."
    )


def _make_facts(audit: Audit) -> Pairs:
    """List the facts about the model, the images and the budget."""
    model, cohort, natural = audit.model, audit.cohort, audit.natural
    clean = cohort.clean
    classes = ", ".join(
        f"{isolate_direction(name)} {format_count(sum(row))}"
        for name, row in zip(cohort.class_names, clean.confusion, strict=True)
    )
    colour = "grey" if model.channels == 1 else "RGB"
    size = f"{model.width} \N{MULTIPLICATION SIGN} {model.height}"
    return (
        ("Classifier", f"{isolate_direction(model.spec)}; input {size} pixels, {colour}"),
        (
            "Medical images",
            f"{isolate_direction(cohort.spec)}; {format_count(cohort.n)} images ({classes})",
        ),
        *make_value_ranges(cohort.value_ranges),
        (
            "Accuracy without attack",
            f"{format_proportion(clean.correct)} ({format_hits(clean.correct)}; "
            f"95{NO_BREAK_SPACE}% interval {format_interval(clean.correct)})",
        ),
        (_images_title(natural), f"{isolate_direction(natural.spec)}; {describe_images(natural)}"),
        *_make_adapted_photographs(natural.adapted),
        ("Budget", _describe_budget(audit.budget)),
        *_make_preflight_summary(audit.preflight),
    )


def make_value_ranges(ranges: tuple[Json, ...] | None) -> Pairs:
    """Describe which stored values became black and white."""
    if ranges is None:
        return ()
    ways = [
        f"{row['how']}, {_format_edges(row['darkest'])} to {_format_edges(row['lightest'])} "
        f"({format_quantity(row['n'], 'image')})"
        for row in ranges
    ]
    return (("Black to white", "; ".join(ways)),)


def _format_edges(ends: list[Any]) -> str:
    """Format one value, or the least and the greatest of several.

    >>> _format_edges([0, 0]), _format_edges([-1024, 4095.5])
    ('0', '[-1024, 4095.5]')
    """
    least, greatest = (f"{end:.6g}" for end in ends)
    return least if least == greatest else f"[{least}, {greatest}]"


def _images_title(natural: NaturalInfo) -> str:
    """Return the heading for the attacker's images."""
    return "Drawings" if image_kind(natural) == "drawings" else "Photographs"


def _make_preflight_summary(findings: tuple[CheckResult, ...] | None) -> Pairs:
    """Summarise the preflight: the number of warnings, and the notes in full."""
    if findings is None:
        return ()
    notes = [finding.message for finding in findings if finding.level == "note"]
    n = len(findings) - len(notes)
    warnings = f"{format_quantity(n, 'warning')} (above)." if n else "no warning."
    return (("Preflight", " ".join([warnings, *notes])),)


def _make_adapted_photographs(adapted: AdaptedInfo | None) -> Pairs:
    """Describe how the photographs were adapted, and at what cost."""
    if adapted is None:
        return ()
    views = f"{format_count(adapted.n)} crops and mixes"
    cost = f"{format_count(adapted.n_forward + adapted.n_backward)} model passes"
    before, after = adapted.distance_before, adapted.distance_after
    change = f"distance {before:.3g} before, {after:.3g} after"
    return (
        (
            "Adapted photographs",
            f"{views}, {STATISTICS[adapted.statistic]} ({change}; {cost}); no medical image was used",
        ),
    )


def _describe_budget(budget: BudgetInfo) -> str:
    """Describe the largest perturbation that the budget allows."""
    levels = f"{budget.eps_rms_levels:.1f} of 255 grey levels"
    if budget.norm == "linf":
        norm, meaning = "L∞", f"no pixel changes by more than {levels}"
    else:
        norm, meaning = "L2", f"root mean square at most {levels}"
    radius = f"{norm} norm at most ε = {budget.eps:.4g} on images in [0, 1]"
    if budget.zeta is not None:
        share = f"{format_percent(budget.zeta)}{NO_BREAK_SPACE}%"
        radius += f", which is ζ = {share} of the medical images' mean norm"
    return f"{radius}; {meaning}"


def _list_threat_models(audit: Audit) -> Pairs:
    """List the threat models of the attacks and oracles, with explanations."""
    shown = [*audit.of_role("attack"), *audit.of_role("reference")]
    used = {item.threat_model for item in shown}
    return tuple((name, text) for name, text in THREAT_MODELS.items() if name in used)
