"""Field reports about DICOM and other pictures, each through `load_cohort`."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileDataset

from dicoms import dicom, written
from straylight.cohort.load import Cohort, load_cohort
from straylight.cohort.reading import Reading
from straylight.core.errors import InputError

SIDE = 32
SHAPE = (1, SIDE, SIDE)
VALUES = np.add.outer(np.arange(SIDE), np.arange(SIDE)).astype(np.uint16) * 64  # 0..3968
SPAN = np.round(255 * (VALUES / VALUES.max())).astype(np.uint8)
FULL = {"BitsStored": 12, "HighBit": 11}


def cohort(root: Path, files: dict[str, bytes], *, window: str = "", frame: int = -1) -> Cohort:
    """Load files of one class, in the order of their names."""
    (root / "A").mkdir()
    for name, data in files.items():
        (root / "A" / name).write_bytes(data)
    return load_cohort(root, SHAPE, ("A",), reading=Reading(window=window, frame=frame))


def pixels(found: Cohort) -> NDArray[np.uint8]:
    return found.images.pixels[:, 0].numpy()


def group(**tags: object) -> Dataset:
    found = Dataset()
    for name, value in tags.items():
        setattr(found, name, value)
    return found


def saved(image: Image.Image, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def test_case_01_an_empty_window_is_none(tmp_path: Path) -> None:
    windows: list[dict[str, object]] = [
        {},
        {"WindowCenter": None, "WindowWidth": None},
        {"WindowWidth": 4095},
        {"WindowCenter": 2047},
        {"WindowCenter": None, "WindowWidth": 300},
    ]
    files = {f"{k}.dcm": written(dicom(VALUES, **FULL, **w)) for k, w in enumerate(windows)}
    found = cohort(tmp_path, files)
    assert found.images.skipped == ()
    assert (pixels(found) == SPAN).all()
    (told,) = found.images.value_ranges
    assert told == {
        **{"how": "least to greatest", "n": 5},
        **{"darkest": [0, 0], "lightest": [3968, 3968]},
    }


def test_case_01b_a_cohort_with_empty_windows_is_scored_as_its_pictures(tmp_path: Path) -> None:
    """Half of the files say their window, half leave it empty; both are the 8-bit picture."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (8, SIDE, SIDE), dtype=np.uint8)
    pictures[:, 0, 0], pictures[:, 0, 1] = 0, 255
    files = {}
    for number, picture in enumerate(pictures):
        file = dicom(picture.astype(np.uint16) * 16, **FULL)
        file.WindowCenter, file.WindowWidth = (2040.5, 4081) if number % 2 else (None, None)
        files[f"{number}.dcm"] = written(file)
    assert (pixels(cohort(tmp_path, files)) == pictures).all()


def enhanced(**shared: list[Dataset]) -> FileDataset:
    return dicom(VALUES, **FULL, NumberOfFrames=1, SharedFunctionalGroupsSequence=[group(**shared)])


@pytest.mark.parametrize("window", ["", "-500/600", "40/400"])
def test_case_03_an_enhanced_object_is_as_its_classic_twin(tmp_path: Path, window: str) -> None:
    rescaled = {"RescaleIntercept": -1024, "RescaleSlope": 1}
    own = {"WindowCenter": -500, "WindowWidth": 600}
    twin = enhanced(
        PixelValueTransformationSequence=[group(**rescaled)], FrameVOILUTSequence=[group(**own)]
    )
    files = {"a.dcm": written(dicom(VALUES, **FULL, **rescaled, **own)), "b.dcm": written(twin)}
    classic, other = pixels(cohort(tmp_path, files, window=window))
    assert (classic == other).all()
    centre, width = map(int, (window or "-500/600").split("/"))
    shares = (VALUES - 1024.0 - (centre - 0.5)) / (width - 1) + 0.5
    assert np.abs(classic - 255 * shares.clip(0, 1)).max() <= 0.502
    assert len(np.unique(classic)) > 5


def test_case_03_each_frame_has_its_own_window(tmp_path: Path) -> None:
    file = dicom(np.stack([VALUES, VALUES]), **FULL)
    file.SharedFunctionalGroupsSequence = [
        group(FrameVOILUTSequence=[group(WindowCenter=9, WindowWidth=9)])
    ]
    file.PerFrameFunctionalGroupsSequence = [
        group(FrameVOILUTSequence=[group(WindowCenter=c, WindowWidth=1000)]) for c in (700, 2700)
    ]
    shown = pixels(cohort(tmp_path, {"a.dcm": written(file)}, frame=1))[0]
    assert np.abs(shown - 255 * ((VALUES - 2699.5) / 999 + 0.5).clip(0, 1)).max() <= 0.502


def test_case_07_values_of_12_bits_are_the_same_in_every_container(tmp_path: Path) -> None:
    image = Image.fromarray(VALUES)
    portable = b"P5 %d %d 4095\n" % (SIDE, SIDE) + VALUES.astype(">u2").tobytes()
    files = {
        "a.dcm": written(dicom(VALUES, **FULL)),
        "b.png": saved(image, "PNG"),
        "c.tif": saved(image, "TIFF"),
        "d.tiff": saved(image, "TIFF", compression="tiff_lzw"),
        "e.png": portable,
        "f.png": saved(image, "JPEG2000"),
    }
    for folder, window in (("plain", ""), ("window", "2000/1500")):
        (tmp_path / folder).mkdir()
        found = cohort(tmp_path / folder, files, window=window)
        assert len(found) == len(files)
        assert (pixels(found) == pixels(found)[0]).all()
        np.savez(tmp_path / "x.npz", images=VALUES[None], labels=np.zeros(1, int))
        array = load_cohort(tmp_path / "x.npz", SHAPE, ("A",), reading=Reading(window=window))
        assert (pixels(array)[0] == pixels(found)[0]).all()
    full = np.linspace(0, 65535, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE)
    (tmp_path / "full").mkdir()
    shown = pixels(
        cohort(tmp_path / "full", {"a.png": saved(Image.fromarray(full), "PNG")})
    ).astype(int)
    assert np.abs(shown - (full >> 8)).max() <= 1


@pytest.mark.parametrize("value", [65535, 0])
def test_case_08_padding_is_no_part_of_the_range(tmp_path: Path, value: int) -> None:
    values = VALUES + np.uint16(100)
    values[:4] = value
    file = dicom(values)
    file.add_new("PixelPaddingValue", "US", value)
    body = values[4:].astype(float)
    shown = pixels(cohort(tmp_path, {"a.dcm": written(file)}))[0]
    expected = 255 * (body - body.min()) / (body.max() - body.min())
    assert np.abs(shown[4:] - expected).max() <= 0.502
    assert (shown[:4] == 0).all()


def test_case_16_a_file_without_its_head_is_read_or_named(tmp_path: Path) -> None:
    whole = written(dicom(VALUES, **FULL))
    start = whole.index(b"\x08\0\x16\0UI")
    files = {
        "a.dcm": whole,
        "b.dcm": whole[start:],
        "c": whole[start:],
        "d.dcm": whole[128 + 4 :],
        "e.dcm": whole[start:-100],
    }
    found = cohort(tmp_path, files)
    assert len(found) == 4
    assert (pixels(found) == SPAN).all()
    ((name, reason),) = [(item.file, item.reason) for item in found.images.skipped]
    assert name == "A/e.dcm"
    assert "DICOM" in reason


def test_case_17_what_is_there_but_empty_is_as_absent(tmp_path: Path) -> None:
    entries = Dataset()
    tags: list[dict[str, object]] = [
        {"RescaleSlope": None},
        {"RescaleSlope": None, "RescaleIntercept": None},
        {"RescaleSlope": 0},
        {"VOILUTSequence": []},
        {"VOILUTSequence": [entries]},
        {"ModalityLUTSequence": []},
        {"ModalityLUTSequence": [entries]},
        {"WindowCenter": 100, "WindowWidth": 0},
        {"WindowCenter": 100, "WindowWidth": -3},
        {"WindowCenter": 100, "WindowWidth": "0.9"},
        {"PixelPaddingValue": None},
        {"PresentationLUTShape": None},
        {"VOILUTFunction": None},
        {"NumberOfFrames": None},
        {"SharedFunctionalGroupsSequence": []},
        {"SharedFunctionalGroupsSequence": [entries], "PerFrameFunctionalGroupsSequence": []},
        {"HighBit": None},
    ]
    files = {f"{k:02}.dcm": written(dicom(VALUES, **(FULL | t))) for k, t in enumerate(tags)}
    found = cohort(tmp_path, files)
    assert found.images.skipped == ()
    assert (pixels(found) == SPAN).all()


def test_case_27_pages_and_transparency_are_told(tmp_path: Path) -> None:
    first, second = (Image.fromarray(np.full((SIDE, SIDE), k, np.uint8)) for k in (9, 99))
    more = {"save_all": True, "append_images": [second]}
    half = np.full((SIDE, SIDE, 4), 255, np.uint8)
    half[:9, :, 3] = 0
    files = {f"{kind}.png": saved(first, kind, **more) for kind in ("TIFF", "GIF", "PNG")}
    files["WEBP.png"] = saved(first.convert("RGB"), "WEBP", lossless=True, **more)
    files["clear.png"] = saved(Image.fromarray(half), "PNG")
    files["good.png"] = saved(second, "PNG")
    found = cohort(tmp_path, files)
    assert len(found) == 1
    reasons = {item.file: item.reason for item in found.images.skipped}
    assert "transparent" in reasons.pop("A/clear.png")
    assert len(reasons) == 4
    assert all("choose one with --reading frame=K" in reason for reason in reasons.values())
    chosen = load_cohort(tmp_path, SHAPE, ("A",), reading=Reading(frame=1))
    assert (pixels(chosen) == 99).all()
    assert [item.file for item in chosen.images.skipped] == ["A/clear.png"]


def many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = saved(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def test_hang_11_a_jpeg_of_many_scans_is_not_decoded(tmp_path: Path) -> None:
    data = many_scans(4096, 400)
    inside = dicom(np.zeros((2, 2), np.uint8), Rows=4096, Columns=4096)
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit

    inside.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    inside.PixelData = encapsulate([data + b"\0" * (len(data) % 2)])
    inside["PixelData"].is_undefined_length = True
    files = {"a.jpg": data, "b.dcm": written(inside), "c.jpg": many_scans(64, 30)}
    start = time.process_time()
    found = cohort(tmp_path, files)
    assert time.process_time() - start < 2
    assert [item.file for item in found.images.skipped] == ["A/a.jpg", "A/b.dcm"]
    assert {item.reason for item in found.images.skipped} == {
        "asks for more work than an image of its size"
    }
    assert torch.equal(found.images.pixels, torch.full((1, *SHAPE), 128, dtype=torch.uint8))


def test_arrays_of_16_bits_are_medical_only(tmp_path: Path) -> None:
    from straylight.data.photographs.load import load_natural

    np.save(tmp_path / "x.npy", VALUES[None])
    with pytest.raises(InputError, match="has uint16 images"):
        load_natural(tmp_path / "x.npy", SHAPE)
