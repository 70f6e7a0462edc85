"""Images that are in two sets, known by the digests of their pixels, or of the files they were in."""

from straylight.cohort.load import Cohort
from straylight.core.errors import InputError
from straylight.core.progress import Tracker
from straylight.data.images import ImageSet


def check_photographs(photographs: ImageSet, *medical: ImageSet | None) -> None:
    """Raise an error for photographs that are medical images of the same audit.

    Args:
        photographs: What the attacks are made from.
        medical: The cohort, and the images that a classifier or an oracle was trained on.

    Raises:
        InputError: If an image is in both.
    """
    for images in medical:
        if images is None:
            continue
        # The same file may be shown in two ways: a medical image of 16 bits goes through a window.
        shared = max(
            len(photographs.digests() & images.digests()),
            len(photographs.file_digests() & images.file_digests()),
        )
        if shared:
            raise InputError(
                f"{shared:,} images of {photographs.spec} are in {images.spec} as well: an image that the "
                "classifier is scored or trained on is no photograph; give others (--natural)."
            )


def report_duplicates(cohort: Cohort, tracker: Tracker) -> None:
    """Report how many images of a cohort are there more than once."""
    more = len(cohort) - len(cohort.images.digests())
    if more:
        tracker.say(
            f"{cohort.images.spec} has {more:,} images that are copies of others in it, pixel by pixel: "
            "they are counted each time."
        )
