"""Images that hold nothing: a sign that they were read with a wrong window or as another format."""

from collections.abc import Iterator

from straylight.data.images import ImageSet
from straylight.evaluation.preflight.finding import Finding

CHUNK = 256  # images that are looked at together
FEW = 0.01  # of the images: so many may show nothing, as black frames do
SPARSE = 16  # of so many rows and columns, one is looked at first


def check_images(images: ImageSet) -> Iterator[Finding]:
    """Report the images of a cohort that are of one colour."""
    even = sum(count_even(images, start) for start in range(0, len(images), CHUNK))
    if even:
        yield Finding(
            "warning" if even > FEW * len(images) else "note",
            "images",
            f"{even} of {len(images)} images have one value in all pixels, so they show nothing: see how "
            "they are read (of DICOM, the window; of 16 bits, the range), or leave them out.",
        )


def count_even(images: ImageSet, start: int) -> int:
    """Count the images of one colour in a chunk."""
    pixels = images.pixels_at(slice(start, start + CHUNK))
    few = pixels[..., ::SPARSE, ::SPARSE]
    candidates = pixels[(few == few[..., :1, :1]).flatten(1).all(1)]
    return int((candidates == candidates[..., :1, :1]).flatten(1).all(1).sum())
