"""Decompression bombs are told from images by how they compress."""

import os
import zlib

from straylight.core.limits import is_bomb


def test_zeros_are_a_bomb_and_noise_is_not() -> None:
    for content, bomb in (
        (bytes(2**24), False),  # harmless, however small it is packed
        (bytes(2**24 + 1), True),
        (os.urandom(2**24 + 1), False),
    ):
        assert is_bomb(len(zlib.compress(content, 1)), len(content)) is bomb
