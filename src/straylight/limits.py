"""What a file may claim before anything is unpacked: more is broken, or a decompression bomb."""

LARGEST = 2**29  # bytes of one file: what is larger is no image that a classifier takes
HARMLESS = 2**24  # bytes that may come out of any file, however small
RATIO = 100  # images pack to a tenth at best; zeros to a thousandth
LARGEST_SIDE = 2**12  # pixels of a classifier's images


def is_bomb(packed: int, unpacked: int) -> bool:
    """Tell a claim that no image packs to.

    Args:
        packed: Bytes there are.
        unpacked: Bytes that shall come out of them.

    >>> is_bomb(10_000, 9_000_000), is_bomb(10_000, 90_000_000), is_bomb(10_000_000, 90_000_000)
    (False, True, False)
    """
    return unpacked > max(HARMLESS, RATIO * packed)
