"""Load what the options of a command name: models and labelled images."""

from rich.console import Console

from straylight.cli.options import ModelAndCohortOptions
from straylight.cohort.cohort import Cohort
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.core.progress import print_plain
from straylight.core.settings import parse_settings
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from straylight.models.load import load_model

MOST_NAMED = 3  # skipped files


def load_model_of(options: ModelAndCohortOptions) -> Classifier:
    """Load the model; whether it is deterministic is checked by preflight."""
    return load_model(options.model, options.of_model, check_determinism=False)


def load_labelled(options: ModelAndCohortOptions, spec: str, classifier: Classifier) -> Cohort:
    """Load labelled images for a model."""
    reading = parse_settings(Reading, "reading", options.reading)
    return load_cohort(spec, classifier.shape, classifier.class_names, reading=reading)


def print_skipped_files(images: ImageSet, err: Console) -> None:
    """Print the first skipped files with their reasons, and how many there are."""
    for file in images.skipped[:MOST_NAMED]:
        print_plain(err, f"skipped {file.file}: {file.reason}", "yellow")
    if images.skipped:
        print_plain(err, f"{len(images.skipped)} files of {images.spec} skipped.", "yellow")
