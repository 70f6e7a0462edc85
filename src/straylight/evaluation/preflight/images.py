"""Check for uniform images: a sign of a wrong DICOM window or of a wrong file format."""

from collections.abc import Iterator

from straylight.data.images import ImageSet
from straylight.evaluation.preflight.check_result import CheckResult

CHUNK = 256  # images that are checked together
FEW = 0.01  # the share of images that may be uniform, such as black frames
_STRIDE = 16  # one in so many rows and columns is checked first


def check_images(images: ImageSet) -> Iterator[CheckResult]:
    """Check for images of a cohort that have one value in all pixels."""
    even = sum(_count_uniform(images, start) for start in range(0, len(images), CHUNK))
    if even:
        yield CheckResult(
            "warning" if even > FEW * len(images) else "note",
            "images",
            f"{even} of {len(images)} images have one value in all pixels, so they show nothing: check how "
            "they are read (the window of DICOM, the range of 16 bits), or leave them out.",
        )


def _count_uniform(images: ImageSet, start: int) -> int:
    """Count the uniform images in a chunk."""
    pixels = images.pixels_at(slice(start, start + CHUNK))
    few = pixels[..., ::_STRIDE, ::_STRIDE]
    candidates = pixels[(few == few[..., :1, :1]).flatten(1).all(1)]
    return int((candidates == candidates[..., :1, :1]).flatten(1).all(1).sum())
