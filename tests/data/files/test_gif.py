"""The images of a GIF are counted before it is decoded."""

import io

import pytest
from PIL import Image

from straylight.data.files import gif
from straylight.data.files.bounded_stream import TooCostlyError
from straylight.data.files.gif import count_gif_images


def encode_gif(n: int) -> bytes:
    frames = [Image.new("L", (8, 8), 40 * number) for number in range(n)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_images_are_counted_as_pillow_does(n: int) -> None:
    data = encode_gif(n)
    assert count_gif_images(data) == getattr(Image.open(io.BytesIO(data)), "n_frames", 1) == n


def test_a_truncated_file_has_the_images_that_begin() -> None:
    assert count_gif_images(b"GIF89a") == 0


def test_too_many_blocks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gif, "GIF_BLOCKS", 1)
    with pytest.raises(TooCostlyError, match="more blocks than an image of its size should"):
        count_gif_images(encode_gif(5))
