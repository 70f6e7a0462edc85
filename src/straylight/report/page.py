"""The data of the page: everything that the template shows, and nothing for it to work out."""

from dataclasses import dataclass
from pathlib import Path

from straylight.audit.results import Audit, Perturbation
from straylight.report.figures import (
    Chart,
    Curve,
    Picture,
    amplification,
    draw_chart,
    draw_curves,
    draw_delta,
    read_perturbation,
    shape_of,
)
from straylight.report.gallery import Pictures, make_pictures
from straylight.report.summary import (
    THREAT_MODELS,
    Headline,
    Subject,
    make_headline,
    make_subject,
)
from straylight.report.tables import (
    NONE,
    Confusion,
    Pairs,
    Recall,
    Row,
    best_of_each_kind,
    counted,
    flatten,
    make_confusion,
    make_recalls,
    make_row,
    number,
    share,
)
from straylight.report.verdict import reach_verdict

NAMED = 200  # files left out that the page names; audit.json names all


@dataclass(frozen=True)
class Detail:
    """One attack in full."""

    row: Row
    threat_model: str
    picture: Picture
    matrices: tuple[Confusion, Confusion]
    recalls: tuple[Recall, ...]
    settings: Pairs
    open: bool


@dataclass(frozen=True)
class Results:
    """The table: groups of rows, and all controls apart."""

    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    controls: tuple[Row, ...]
    clean_accuracy: str


@dataclass(frozen=True)
class Origin:
    """What is needed to make the audit again, and what was left out of it."""

    skipped: tuple[tuple[str, Pairs], ...]
    command: str
    seeds: str
    environment: Pairs


@dataclass(frozen=True)
class Page:
    """All that the template shows; `factor` is the amplification of all perturbations."""

    title: str
    headline: Headline
    subject: Subject
    pictures: Pictures
    factor: int
    chart: Chart
    curves: tuple[Curve, ...]
    results: Results
    details: tuple[Detail, ...]
    origin: Origin


def make_page(audit: Audit, folder: Path) -> Page:
    """Collect the page from an audit and the arrays in its folder.

    Raises:
        InputError: If an array is missing or broken, or there is nothing to compare.
    """
    verdict = reach_verdict(audit)
    factor = amplification(read_perturbation(verdict.strongest, folder, shape_of(audit)))
    return Page(
        title=audit.model.spec,
        headline=make_headline(audit, verdict),
        subject=make_subject(audit),
        pictures=make_pictures(audit, verdict, folder, factor),
        factor=factor,
        chart=draw_chart(audit),
        curves=draw_curves(audit),
        results=make_results(audit),
        details=tuple(
            make_detail(audit, item, folder, factor, is_open=item is verdict.strongest)
            for item in (*audit.of_role("attack"), *audit.of_role("reference"))
        ),
        origin=make_origin(audit),
    )


def make_results(audit: Audit) -> Results:
    """Write the table: attacks, references, and the largest control of each kind."""
    names = audit.model.class_names
    controls = audit.of_role("control")
    groups = [
        (title, tuple(make_row(item, item.name, names) for item in audit.of_role(role)))
        for title, role in (("Attacks", "attack"), ("References", "reference"))
    ]
    best = tuple(make_row(item, label, names) for label, item in best_of_each_kind(controls))
    groups.append(("Controls: the largest of each kind", best))
    return Results(
        tuple(group for group in groups if group[1]),
        tuple(make_row(item, item.name, names) for item in controls),
        share(audit.cohort.clean.correct),
    )


def make_detail(
    audit: Audit, item: Perturbation, folder: Path, factor: int, *, is_open: bool
) -> Detail:
    """Write one attack in full."""
    names, clean = audit.model.class_names, audit.cohort.clean
    delta = read_perturbation(item, folder, shape_of(audit))
    return Detail(
        row=make_row(item, item.name, names),
        threat_model=THREAT_MODELS[item.threat_model],
        picture=draw_delta(delta, factor, f"Perturbation {item.name}, amplified"),
        matrices=(
            make_confusion("Without perturbation", clean.confusion, names),
            make_confusion(f"Under {item.name}", item.score.confusion, names),
        ),
        recalls=make_recalls(clean.recalls, item.score.recalls, names),
        settings=(
            *flatten(item.method),
            ("learned on", item.source or NONE),
            ("seed", str(item.seed)),
        ),
        open=is_open,
    )


def make_origin(audit: Audit) -> Origin:
    """Say how the audit was made."""
    environment = {k: v for k, v in audit.environment.items() if k != "command"}
    seeds = sorted({item.seed for item in audit.perturbations})
    return Origin(
        skipped=make_skipped(audit),
        command=str(audit.environment["command"]),
        seeds=", ".join(map(str, seeds)),
        environment=flatten(environment),
    )


def make_skipped(audit: Audit) -> tuple[tuple[str, Pairs], ...]:
    """Name the files that were left out, the first of very many."""
    parts = (("medical images", audit.cohort.skipped), ("photographs", audit.natural.skipped))
    return tuple(
        (
            f"{counted(len(items), 'file')} of the {name} left out",
            (
                *((item["file"], item["reason"]) for item in items[:NAMED]),
                *((("and others", f"{number(len(items) - NAMED)} more"),) if items[NAMED:] else ()),
            ),
        )
        for name, items in parts
        if items
    )
