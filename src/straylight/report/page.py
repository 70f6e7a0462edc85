"""The data of the page: everything that the template shows, computed and formatted."""

from dataclasses import dataclass
from pathlib import Path

from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.report.audit_setup import THREAT_MODELS, AuditSetup, make_audit_setup
from straylight.report.charts import BarChart, Curve, draw_attack_curves, draw_audit_chart
from straylight.report.gallery import Gallery, make_gallery
from straylight.report.headline import Headline, make_headline
from straylight.report.pictures import (
    Picture,
    choose_amplification,
    draw_perturbation,
    load_perturbation,
    model_shape,
)
from straylight.report.tables import (
    DASH,
    ConfusionTable,
    Pairs,
    RecallRow,
    ResultRow,
    flatten_settings,
    format_count,
    format_proportion,
    format_quantity,
    label_strongest_controls,
    make_confusion_table,
    make_recall_rows,
    make_result_row,
)
from straylight.report.verdict import reach_verdict

MOST_FILES_NAMED = 200  # skipped files that the page names; audit.json names all


@dataclass(frozen=True)
class AttackDetail:
    """One attack or oracle, with all of its figures."""

    row: ResultRow
    threat_model: str
    picture: Picture
    matrices: tuple[ConfusionTable, ConfusionTable]
    recalls: tuple[RecallRow, ...]
    settings: Pairs
    open: bool


@dataclass(frozen=True)
class ResultsTable:
    """The table of results: groups of rows, and all controls separately."""

    groups: tuple[tuple[str, tuple[ResultRow, ...]], ...]
    controls: tuple[ResultRow, ...]
    clean_accuracy: str


@dataclass(frozen=True)
class Reproduction:
    """The command, the seeds and the environment to repeat the audit, and the skipped files."""

    skipped: tuple[tuple[str, Pairs], ...]
    command: str
    seeds: str
    environment: Pairs


@dataclass(frozen=True)
class ReportPage:
    """Everything that the template shows; `factor` is the amplification of all perturbations."""

    title: str
    headline: Headline
    setup: AuditSetup
    pictures: Gallery
    factor: int
    chart: BarChart
    curves: tuple[Curve, ...]
    results: ResultsTable
    details: tuple[AttackDetail, ...]
    reproduction: Reproduction


def make_report_page(audit: Audit, folder: Path) -> ReportPage:
    """Collect everything that the page shows, from an audit and the arrays in its folder.

    Raises:
        InputError: If an array is missing or broken, or if an attack or a control is missing.
    """
    verdict = reach_verdict(audit)
    factor = choose_amplification(load_perturbation(verdict.strongest, folder, model_shape(audit)))
    return ReportPage(
        title=audit.model.spec,
        headline=make_headline(audit, verdict),
        setup=make_audit_setup(audit),
        pictures=make_gallery(audit, verdict, folder, factor),
        factor=factor,
        chart=draw_audit_chart(audit),
        curves=draw_attack_curves(audit),
        results=_make_results_table(audit),
        details=tuple(
            _make_attack_detail(audit, item, folder, factor, is_open=item is verdict.strongest)
            for item in (*audit.of_role("attack"), *audit.of_role("reference"))
        ),
        reproduction=_make_reproduction(audit),
    )


def _make_results_table(audit: Audit) -> ResultsTable:
    """Return the table: attacks, oracles, and the strongest control of each kind."""
    names = audit.model.class_names
    controls = audit.of_role("control")
    groups = [
        (title, tuple(make_result_row(item, item.name, names) for item in audit.of_role(role)))
        for title, role in (("Attacks", "attack"), ("References", "reference"))
    ]
    best = tuple(
        make_result_row(item, label, names) for label, item in label_strongest_controls(audit)
    )
    groups.append(("Controls: the largest of each kind", best))
    return ResultsTable(
        tuple(group for group in groups if group[1]),
        tuple(make_result_row(item, item.name, names) for item in controls),
        format_proportion(audit.cohort.clean.correct),
    )


def _make_attack_detail(
    audit: Audit, item: Perturbation, folder: Path, factor: int, *, is_open: bool
) -> AttackDetail:
    """Return the figures, settings and picture of one attack."""
    names, clean = audit.model.class_names, audit.cohort.clean
    delta = load_perturbation(item, folder, model_shape(audit))
    return AttackDetail(
        row=make_result_row(item, item.name, names),
        threat_model=THREAT_MODELS[item.threat_model],
        picture=draw_perturbation(delta, factor, f"Perturbation {item.name}, amplified"),
        matrices=(
            make_confusion_table("Without perturbation", clean.confusion, names),
            make_confusion_table(f"Under {item.name}", item.score.confusion, names),
        ),
        recalls=make_recall_rows(clean.recalls, item.score.recalls, names),
        settings=(
            *flatten_settings(item.method.to_json()),
            ("learned on", item.source or DASH),
            ("seed", str(item.seed)),
        ),
        open=is_open,
    )


def _make_reproduction(audit: Audit) -> Reproduction:
    """Return the command, the seeds and the environment of an audit, and the skipped files."""
    environment = {k: v for k, v in audit.environment.to_json().items() if k != "command"}
    seeds = sorted({item.seed for item in audit.perturbations})
    return Reproduction(
        skipped=_make_skipped_files(audit),
        command=str(audit.environment.command),
        seeds=", ".join(map(str, seeds)),
        environment=flatten_settings(environment),
    )


def _make_skipped_files(audit: Audit) -> tuple[tuple[str, Pairs], ...]:
    """List the skipped files, each kind under a heading, at most `MOST_FILES_NAMED` of them."""
    parts = (("medical images", audit.cohort.skipped), ("photographs", audit.natural.skipped))
    return tuple(
        (
            f"{format_quantity(len(items), 'file')} of the {name} left out",
            (
                *((item["file"], item["reason"]) for item in items[:MOST_FILES_NAMED]),
                *(
                    (("and others", f"{format_count(len(items) - MOST_FILES_NAMED)} more"),)
                    if items[MOST_FILES_NAMED:]
                    else ()
                ),
            ),
        )
        for name, items in parts
        if items
    )
