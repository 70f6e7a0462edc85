"""The summary of an audit on a terminal."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from straylight.audit.files import REPORT
from straylight.audit.results import Audit
from straylight.cli.output import print_json
from straylight.core.errors import quote_text
from straylight.core.progress import print_plain
from straylight.evaluation.metrics import format_percent
from straylight.report.effort import weak_run_warnings
from straylight.report.verdict import reach_verdict


def print_audit(audit: Audit, folder: Path, out: Console, *, as_json: bool) -> None:
    """Print an audit, as JSON or as a table with the verdict and the path of the report."""
    if as_json:
        print_json(out, audit.to_json())
        return
    out.print(make_audit_table(audit))
    verdict = reach_verdict(audit)
    for warning in weak_run_warnings(audit):
        print_plain(out, f"Warning: {warning}")
    print_plain(
        out,
        f"Verdict: {verdict.word}."
        + f" {quote_text(verdict.reason, 2**10)}" * bool(verdict.reason),
    )
    print_plain(out, f"Report: {folder / REPORT}")


def make_audit_table(audit: Audit) -> Table:
    """Build a table of the attacks, the oracles and the strongest control of each kind."""
    budget = audit.budget
    zeta = "" if budget.zeta is None else f"zeta {100 * budget.zeta:g} %, "
    meaning = "at most" if budget.norm == "linf" else "RMS"
    accuracy = format_percent(audit.cohort.clean.correct.rate)
    table = Table(
        title=f"{budget.norm}, {zeta}{budget.eps_rms_levels:.1f} grey levels {meaning}; "
        f"{audit.cohort.n} images, clean accuracy {accuracy} %; in %",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in ("", "fooled", "95 % CI", "target", "acc.", "seen as"):
        left = column in ("", "seen as")
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    names = audit.model.class_names
    controls = audit.of_role("control")
    made = [*audit.of_role("attack"), *audit.of_role("reference")]
    for item in [*made, *audit.strongest_controls()]:
        found = item.score
        count = sum(control.method.name == item.method.name for control in controls)
        name = f"{item.method.name} (max of {count})" if item.role == "control" else item.name
        name += " (oracle)" * (item.role == "reference")
        target = None if item.target is None else names.index(item.target)
        low, high = found.fooled.ci95
        table.add_row(
            Text(quote_text(name)),
            format_percent(found.fooled.rate),
            f"{100 * low:.0f}-{100 * high:.0f}",
            ""
            if target is None or item.role == "control"
            else format_percent(found.hit(target).rate),
            format_percent(found.correct.rate),
            Text(
                f"{quote_text(names[found.dominant_class])} {format_percent(found.dominant.rate, 0)} %"
            ),
            end_section=item is made[-1],
        )
    return table
