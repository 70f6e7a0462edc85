"""`straylight preflight`."""

from dataclasses import asdict, dataclass

from rich.console import Console

from straylight.cli.options import Subject, say_skipped
from straylight.cli.output import print_json
from straylight.core.progress import say
from straylight.evaluation.preflight.run import preflight, stop_on_errors


@dataclass(frozen=True, kw_only=True)
class PreflightCommand(Subject):
    """Check a classifier and its images, without an attack: what an audit does first.

    For example:
      straylight preflight --model models/skin --cohort skin/test.csv
    """

    json: bool = False
    """Print the findings as JSON."""

    def run(self, out: Console, err: Console) -> None:
        classifier = self.load_classifier()
        cohort = self.load_labelled(self.cohort, classifier)
        say_skipped(cohort.images, err)
        findings = preflight(classifier, cohort)
        if self.json:
            print_json(out, [asdict(finding) for finding in findings])
        else:
            for finding in findings:
                if finding.level != "error":
                    say(out, f"{finding.level}: {finding.message}")
            if not findings:
                say(out, f"Nothing found on {len(cohort)} images.")
        stop_on_errors(findings)
        classifier.check_steady()
