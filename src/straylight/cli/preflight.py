"""`straylight preflight`."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from straylight.cli.options import ModelAndCohortOptions
from straylight.cli.output import print_json

if TYPE_CHECKING:
    import rich.console


@dataclass(frozen=True, kw_only=True)
class PreflightCommand(ModelAndCohortOptions):
    """Check a classifier and its images without attacking it; every audit does this first.

    For example:
      straylight preflight --model models/skin --cohort skin/test.csv
    """

    json: bool = False
    """Print the results as JSON."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        from straylight.cli.load import load_labelled, load_model_of, print_skipped_files
        from straylight.core.progress import print_plain
        from straylight.evaluation.preflight.run import preflight, stop_on_errors

        classifier = load_model_of(self)
        cohort = load_labelled(self, self.cohort, classifier)
        print_skipped_files(cohort.images, err)
        results = preflight(classifier, cohort)
        if self.json:
            print_json(out, [asdict(result) for result in results])
        else:
            for result in results:
                if result.level != "error":
                    print_plain(out, f"{result.level}: {result.message}")
            if not results:
                print_plain(out, f"Nothing found on {len(cohort)} images.")
        stop_on_errors(results)
        classifier.check_determinism()
