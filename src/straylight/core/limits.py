"""Limits for untrusted files: what exceeds them is damaged, or a decompression bomb."""

LARGEST = 2**29  # bytes of one file: a larger one is not an image for a classifier
HARMLESS = 2**24  # bytes that any file may unpack to, however small it is
RATIO = 100  # images compress to a tenth at best; zeros to a thousandth
HARMLESS_SAMPLES = 2**26  # one-byte values of an image, however small its file
LARGEST_SIDE = 2**12  # pixels of a classifier's images


def is_bomb(packed: int, unpacked: int) -> bool:
    """Return whether a compression ratio is implausible for images (decompression bomb).

    Args:
        packed: Compressed size in bytes.
        unpacked: Claimed size in bytes after unpacking.

    >>> is_bomb(10_000, 9_000_000), is_bomb(10_000, 90_000_000), is_bomb(10_000_000, 90_000_000)
    (False, True, False)
    """
    return unpacked > max(HARMLESS, RATIO * packed)


# Steps and bytes that reading one file may take.
READ_AGAIN = 4  # how often all its bytes may be read
PICTURE_STEPS = 2**17  # reads of an image file: chunks, markers, blocks, directories
DICOM_STEPS = 2**17  # reads of a DICOM file's tags and items
FRAGMENTS = 2**16  # pieces of compressed pixels in a DICOM file
WORK = 2**28  # pixels that may be visited again, such as by a further scan
FREE_SCANS = {1: 6, 3: 10}  # of a progressive JPEG by number of components, as libjpeg writes them
MOST_FREE_SCANS = 18  # for other numbers of components
SEGMENTS = 2**13  # of a JPEG
LARGEST_EXIF = 2**17  # bytes
LARGEST_RUN_WIDTH = 2**14  # pixels of a row in a bitmap of run lengths
PLAIN_VALUES = 2**20  # numbers written as text
GIF_BLOCKS = 2**20
TIFF_VALUES = 2**19  # in directories: strips and tiles
TIFF_DIRECTORIES = 2**12
TIFF_TAGS = 2**12  # of a directory
J2K_TILES = 2**12
J2K_PACKETS = 2**20
J2K_BLOCK = 8  # log2 of the samples of the smallest code block that is read
