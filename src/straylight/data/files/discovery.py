"""Find the image files of a folder or archive, and report the other files."""

from dataclasses import dataclass
from posixpath import splitext

from PIL import Image

from straylight.core.errors import quote_text
from straylight.data.files.archive import TAR, ZIP
from straylight.data.files.container import Container
from straylight.data.files.decode import DICOM_SUFFIXES, FORMATS, SUFFIXES
from straylight.data.files.dicom import is_dicom
from straylight.data.files.non_images import is_companion
from straylight.data.images import SkippedImage

HEAD = 512  # bytes that identify the format


@dataclass(frozen=True)
class FoundImages:
    """The image files of a container.

    Attributes:
        names: Names of the image files, sorted.
        skipped: All other files except known companions, and why they are not images.
    """

    names: list[str]
    skipped: tuple[SkippedImage, ...]


def find_image_files(container: Container, *, dicom: bool) -> FoundImages:
    """Find all image files, by their suffix or else by their content.

    Args:
        container: The folder or archive.
        dicom: Include DICOM files.
    """
    found: list[str] = []
    reasons: dict[str, str] = {}
    unsure: list[str] = []
    every = container.names()
    for name in every:
        if splitext(name)[1].lower() in SUFFIXES:
            found.append(name)
        elif not is_companion(name):
            unsure.append(name)
    for name in container.order(unsure):
        reason = _reason_not_image(container, name, dicom)
        if reason is None:
            found.append(name)
        else:
            reasons[name] = reason
    others = [SkippedImage(quote_text(name), reasons[name]) for name in sorted(reasons)]
    again = [
        SkippedImage(quote_text(name), f"the same as {quote_text(first)}, by a link")
        for name, first in container.aliases.items()
    ]
    order = {name: place for place, name in enumerate(every)}
    return FoundImages(sorted(found, key=order.__getitem__), (*container.skipped, *others, *again))


def _reason_not_image(container: Container, name: str, dicom: bool) -> str | None:
    """Return why a file is not an image; None if its first bytes are those of an image."""
    suffix = splitext(name)[1].lower()
    if dicom and suffix in DICOM_SUFFIXES:
        return None
    try:
        head = container.head(name, HEAD)
    except ValueError as error:
        return str(error)
    if is_dicom(head) or suffix in DICOM_SUFFIXES:
        return None if dicom else "a DICOM file is not a photograph"
    if name.lower().endswith((*ZIP, *TAR)):
        return "an archive in an archive or folder: unpack it first"
    return None if _is_image_header(head) else "not an image in a known format"


def _is_image_header(head: bytes) -> bool:
    """Return whether a file begins like one of the supported formats."""
    Image.init()
    begins = (Image.OPEN[name][1] for name in FORMATS if name in Image.OPEN)
    return any(begin is not None and begin(head[:16]) is True for begin in begins)


def format_first_skipped(skipped: tuple[SkippedImage, ...]) -> str:
    """Format the number of skipped files and the first one, in brackets, for a message."""
    if not skipped:
        return ""
    first = skipped[0]
    return f" ({len(skipped)} skipped; first: {first.file}: {quote_text(first.reason)})"
