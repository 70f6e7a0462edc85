"""Netpbm images."""

import pytest

from encoded_images import DEEP, GREY, VIEW
from straylight.data.files.decode import decode_image


@pytest.mark.parametrize("kind", [b"P5 16 16 255\n", b"P5 16 16 65535\n", b"P4 16 16\n"])
def test_a_portable_map_holds_one_image(kind: bytes) -> None:
    size = {b"P4": 32}.get(kind[:2], 512 if b"65535" in kind else 256)
    one = kind + DEEP.tobytes()[:size]
    shown = decode_image(one + b"\n", GREY, VIEW)
    assert (decode_image(one, GREY, VIEW) == shown).all()
    assert (
        decode_image(one + one, GREY) == decode_image(one, GREY)
    ).all()  # of photographs the first counts
    with pytest.raises(ValueError, match="several images"):
        decode_image(one + one, GREY, VIEW)
    with pytest.raises(ValueError, match="several images"):
        decode_image(b"P2 1 1 9 4 5", (1, 1, 1), VIEW)
