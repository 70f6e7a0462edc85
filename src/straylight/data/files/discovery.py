"""Image files: found among all that lies in a folder or archive, and the rest named."""

from dataclasses import dataclass
from posixpath import splitext

from PIL import Image

from straylight.core.errors import quoted
from straylight.data.files.containers import TAR, ZIP, Container
from straylight.data.files.decode import DICOM_SUFFIXES, FORMATS, SUFFIXES
from straylight.data.files.dicom import is_dicom
from straylight.data.files.non_images import is_companion
from straylight.data.images import Skipped

HEAD = 512  # bytes that tell the format


@dataclass(frozen=True)
class Pictures:
    """The image files of a container.

    Attributes:
        names: Of the image files, sorted.
        skipped: What else there is, but for known companions, and why it is no image.
    """

    names: list[str]
    skipped: tuple[Skipped, ...]


def find_pictures(container: Container, *, dicom: bool) -> Pictures:
    """Find all image files: by their suffix, or else by their content.

    Args:
        container: Where they lie.
        dicom: DICOM files are images.
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
        reason = _why_none(container, name, dicom)
        if reason is None:
            found.append(name)
        else:
            reasons[name] = reason
    others = [Skipped(quoted(name), reasons[name]) for name in sorted(reasons)]
    again = [
        Skipped(quoted(name), f"the same as {quoted(first)}, by a link")
        for name, first in container.twice.items()
    ]
    order = {name: place for place, name in enumerate(every)}
    return Pictures(sorted(found, key=order.__getitem__), (*container.left_out, *others, *again))


def _why_none(container: Container, name: str, dicom: bool) -> str | None:
    """Return why a file is no image; None if it is one by its first bytes."""
    suffix = splitext(name)[1].lower()
    if dicom and suffix in DICOM_SUFFIXES:
        return None
    try:
        head = container.head(name, HEAD)
    except ValueError as error:
        return str(error)
    if is_dicom(head) or suffix in DICOM_SUFFIXES:
        return None if dicom else "a DICOM file is no photograph"
    if name.lower().endswith((*ZIP, *TAR)):
        return "an archive inside: unpack it first"
    return None if is_image(head) else "no image of a known format"


def is_image(head: bytes) -> bool:
    """Return whether a file begins as one of the formats that are read."""
    Image.init()
    begins = (Image.OPEN[name][1] for name in FORMATS if name in Image.OPEN)
    return any(begin is not None and begin(head[:16]) is True for begin in begins)


def first_of(skipped: tuple[Skipped, ...]) -> str:
    """Name the first of what was skipped, in brackets, for the end of a sentence."""
    if not skipped:
        return ""
    first = skipped[0]
    return f" ({len(skipped)} skipped; first: {first.file}: {quoted(first.reason)})"
