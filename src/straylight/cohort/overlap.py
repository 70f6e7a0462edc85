"""Detect images that are in two sets, by the digests of their pixels or files."""

from straylight.cohort.cohort import Cohort
from straylight.core.errors import InputError
from straylight.core.progress import Tracker
from straylight.data.images import ImageSet


def check_no_overlap(photographs: ImageSet, *medical: ImageSet | None) -> None:
    """Check that no photograph is also a medical image of the same audit.

    Args:
        photographs: Images that the attacks learn from.
        medical: The cohort, and the training images of a classifier or an oracle.

    Raises:
        InputError: If an image is in both.
    """
    for images in medical:
        if images is None:
            continue
        # The same file may be decoded in two ways: 16-bit medical images with a window.
        shared = max(
            len(photographs.digests() & images.digests()),
            len(photographs.file_digests() & images.file_digests()),
        )
        if shared:
            raise InputError(
                f"{shared:,} images of {photographs.spec} are also in {images.spec}: natural images "
                "must not be images that the classifier is scored or trained on. Give others "
                "(--natural)."
            )


def report_duplicates(cohort: Cohort, tracker: Tracker) -> None:
    """Report how many images of a cohort are duplicates."""
    more = len(cohort) - len(cohort.images.digests())
    if more:
        tracker.say(
            f"{cohort.images.spec} has {more:,} images that are exact copies of others in it: each copy "
            "is counted."
        )
