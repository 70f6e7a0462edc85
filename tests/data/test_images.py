"""Reading of images and photographs: every format, and every bad one."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from straylight.core.errors import InputError
from straylight.data.files.arrays import from_array, load_arrays
from straylight.data.files.decode import decode
from straylight.data.images import ImageSet
from straylight.data.photographs.load import PHOTOS, load_natural

SHAPE = (3, 8, 10)


def gradient_image(mode: str = "RGB") -> Image.Image:
    ramp = np.linspace(0, 255, 8 * 10).reshape(8, 10).astype(np.uint8)
    return Image.fromarray(np.stack([ramp, ramp[::-1], ramp], -1)).convert(mode)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "jpg", "JPEG"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    lossless = {"lossless": True} if suffix == "webp" else {"quality": 100, "subsampling": 0}
    gradient_image().save(path, **lossless)
    expected = np.asarray(gradient_image()).transpose(2, 0, 1)
    worst = np.abs(decode(path.read_bytes(), SHAPE).astype(int) - expected).max()
    assert worst <= (4 if suffix in ("jpg", "JPEG") else 0)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_every_mode_becomes_rgb_and_grey(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((8, 10), 128 * 256, dtype=np.uint16))
    else:
        image = Image.new("L", (10, 8), 255 if mode == "1" else 128).convert(mode)
    path = tmp_path / ("photo.tiff" if mode in ("CMYK", "I;16") else "photo.png")
    image.save(path)
    level = 255 if mode == "1" else 128
    for channels in (1, 3):
        pixels = decode(path.read_bytes(), (channels, 8, 10))
        assert pixels.shape == (channels, 8, 10)
        assert np.abs(pixels.astype(int) - level).max() <= 1


def test_grey_of_colour_is_luminance(tmp_path: Path) -> None:
    Image.new("RGB", (10, 8), (200, 100, 50)).save(tmp_path / "p.png")
    expected = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert abs(int(decode((tmp_path / "p.png").read_bytes(), (1, 8, 10))[0, 0, 0]) - expected) <= 1


def test_camera_orientation_is_obeyed(tmp_path: Path) -> None:
    image = Image.fromarray(np.tile(np.arange(10, dtype=np.uint8) * 20, (8, 1)))
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    image.save(tmp_path / "p.png", exif=exif)
    assert np.array_equal(
        decode((tmp_path / "p.png").read_bytes(), (1, 8, 10))[0], np.asarray(image)[::-1, ::-1]
    )


def test_bad_files_among_good_ones_are_skipped_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    gradient_image().save(tmp_path / "deep" / "er" / "good.png")
    gradient_image().resize((200, 200)).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:900])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not an image")
    photographs = load_natural(tmp_path, SHAPE)
    assert len(photographs) == 2
    assert sorted(item.file for item in photographs.skipped) == ["cut.jpg", "empty.png", "text.png"]
    assert all(item.reason and str(tmp_path) not in item.reason for item in photographs.skipped)


def test_a_decompression_bomb_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gradient_image().resize((40, 40)).save(tmp_path / "bomb.png")
    gradient_image().save(tmp_path / "good.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert [item.file for item in load_natural(tmp_path, SHAPE).skipped] == ["bomb.png"]


def test_no_readable_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no image file"):
        load_natural(tmp_path, SHAPE)
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(
        InputError, match=r"none of the 1 image files .* can be read \(first: a.png"
    ):
        load_natural(tmp_path, SHAPE)
    with pytest.raises(InputError, match="is neither a folder of photographs"):
        load_natural(tmp_path / "nowhere", SHAPE)


def test_arrays_of_every_layout_are_the_same_images(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 10, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    np.savez(tmp_path / "b.npz", images=pixels.transpose(0, 3, 1, 2), labels=np.zeros(4))
    np.savez(tmp_path / "c.npz", photos=pixels / np.float32(255))
    sets = [load_natural(tmp_path / name, SHAPE) for name in ("a.npy", "b.npz", "c.npz")]
    assert {images.sha256 for images in sets} == {sets[0].sha256}
    assert torch.equal(sets[0].pixels, torch.from_numpy(pixels.transpose(0, 3, 1, 2)))
    grey = from_array(pixels[..., 0], (1, 8, 10), "grey")
    assert torch.equal(grey.pixels[:, 0], torch.from_numpy(pixels[..., 0]))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 8, 10, 5), np.uint8), "has images of shape"),
        (np.zeros((0, 8, 10, 3), np.uint8), "at least one image"),
        (np.full((2, 8, 10, 3), 2.0), r"outside \[0, 1\]"),
        (np.full((2, 8, 10, 3), np.nan), r"outside \[0, 1\]"),
        (np.zeros((2, 8, 10, 3), np.int64), "int64 images"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_array(array, SHAPE, "x.npy")


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "executed",)  # type: ignore[return-value]

    np.save(tmp_path / "a.npy", np.array([Hostile()], dtype=object), allow_pickle=True)
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 not a zip")
    (tmp_path / "c.npy").write_bytes(b"")
    for name in ("a.npy", "b.npz", "c.npy"):
        with pytest.raises(InputError, match="cannot be read as a NumPy file without pickled"):
            load_arrays(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_photographs_are_drawn_by_seed(tmp_path: Path) -> None:
    for number in range(6):
        Image.new("RGB", (10, 8), (40 * number, 0, 0)).save(tmp_path / f"{number}.png")
    first, again = (load_natural(tmp_path, SHAPE, n=3, seed=5) for _ in range(2))
    assert first.sha256 == again.sha256
    assert len(first) == 3
    assert first.sha256 != load_natural(tmp_path, SHAPE, n=3, seed=6).sha256
    with pytest.raises(InputError, match="has 6 photographs, fewer than the 7"):
        load_natural(tmp_path, SHAPE, n=7)


def test_builtin_photos_are_the_same_for_a_seed() -> None:
    photos = load_natural(PHOTOS, (3, 32, 32), n=22, seed=1)
    assert photos.pixels.shape == (22, 3, 32, 32)
    assert photos.sha256 == load_natural(PHOTOS, (3, 32, 32), n=22, seed=1).sha256
    assert photos.sha256 != load_natural(PHOTOS, (3, 32, 32), n=22, seed=2).sha256
    assert float(photos.pixels.float().std()) > 30


def test_batches_cover_all_and_the_digest_sees_the_shape() -> None:
    images = ImageSet(torch.arange(5 * 12, dtype=torch.uint8).view(5, 1, 3, 4), "x")
    assert [len(batch) for batch in images.batches(2)] == [2, 2, 1]
    assert torch.equal(torch.cat(list(images.batches(2))) * 255, images.pixels.float())
    assert images.sha256 != ImageSet(images.pixels.view(5, 1, 4, 3), "x").sha256


def test_the_digest_is_that_of_recorded_audits() -> None:
    """Of the shape as Python writes it, and all bytes at once, as before images were read in parts."""
    pixels = torch.randint(0, 256, (600, 3, 5, 4), dtype=torch.uint8)
    whole = b"(600, 3, 5, 4)" + pixels.numpy().tobytes()
    assert ImageSet(pixels, "x").sha256 == hashlib.sha256(whole).hexdigest()


def test_a_subset_is_what_indexing_gives() -> None:
    pixels = torch.randint(0, 256, (40, 3, 5, 4), dtype=torch.uint8)
    order = torch.randperm(40)
    chosen, again = order[:30], torch.tensor([29, 3, 3, 0])
    found = ImageSet(pixels, "x").subset(chosen)
    assert (len(found), found.shape, found.stored.data_ptr()) == (30, (3, 5, 4), pixels.data_ptr())
    for images, expected in [
        (found, pixels[chosen]),
        (found.subset(again), pixels[chosen][again]),
    ]:
        assert torch.equal(images.pixels, expected)
        assert images.sha256 == ImageSet(expected, "y").sha256
        assert images.digests() == ImageSet(expected, "y").digests()
        assert torch.equal(torch.cat(list(images.batches(7))), expected.float() / 255)
        assert torch.equal(images.images(torch.tensor([2, 1])), expected[[2, 1]].float() / 255)
        assert images.mean_norm("l2") == ImageSet(expected, "y").mean_norm("l2")
