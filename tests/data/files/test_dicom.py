"""DICOM files: shown as the standard says, and nothing read but the picture."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.datadict import DicomDictionary
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from dicoms import dicom, written
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.core.errors import InputError
from straylight.data.files.dicom import DicomView, is_dicom, read_dicom
from straylight.data.photographs.load import load_natural

LARGEST = 2**20
SHAPE = (1, 20, 24)


def shown(file: Dataset, *, window: str = "", frame: int = -1) -> NDArray[np.uint8]:
    view = DicomView(window=window, frame=frame)
    return np.asarray(read_dicom(written(file), view, LARGEST)[0])


def ramp(dtype: str, low: int, high: int) -> NDArray[Any]:
    return np.linspace(low, high, 20 * 24).round().astype(dtype).reshape(20, 24)


def test_eight_bits_are_taken_as_they_are() -> None:
    values = ramp("uint8", 10, 200)
    assert is_dicom(written(dicom(values)))
    assert np.array_equal(shown(dicom(values)), values)
    assert np.array_equal(shown(dicom(values, "MONOCHROME1")), 255 - values)
    inverse = dicom(values, "MONOCHROME1", PresentationLUTShape="INVERSE")
    assert np.array_equal(shown(inverse), 255 - values)


@pytest.mark.parametrize("dtype", ["uint16", "int16"])
def test_a_window_is_the_standards_formula(dtype: str) -> None:
    """PS3.3 C.11.2.1.2.1, linear, on Hounsfield units."""
    values = ramp(dtype, 0, 3000)
    file = dicom(values, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400)

    def formula(centre: float, width: float) -> NDArray[np.float64]:
        x = values.astype(float) - 1024
        y: NDArray[np.float64] = (x - (centre - 0.5)) / (width - 1) + 0.5
        return 255 * y.clip(0, 1)

    assert np.abs(shown(file) - formula(40, 400)).max() <= 0.51
    assert np.abs(shown(file, window="300/1500") - formula(300, 1500)).max() <= 0.51
    file.PhotometricInterpretation = "MONOCHROME1"
    assert np.abs(255.0 - shown(file) - formula(40, 400)).max() <= 0.51
    file.PhotometricInterpretation = "MONOCHROME2"
    file.WindowCenter, file.WindowWidth = [40, 300], [400, 1500]  # the first of several
    assert np.abs(shown(file) - formula(40, 400)).max() <= 0.51


def test_a_window_below_the_values_of_the_type() -> None:
    """A window from -160 to 239 on unsigned values: the darkest value is not black."""
    values = ramp("uint8", 0, 255)
    file = dicom(values, WindowCenter=40, WindowWidth=400)
    expected = 255 * ((values - 39.5) / 399 + 0.5).clip(0, 1)
    assert np.abs(shown(file) - expected).max() <= 0.51


def test_without_a_window_twelve_bits_go_from_the_least_to_the_greatest() -> None:
    values = ramp("uint16", 100, 3100)
    file = dicom(values, BitsStored=12, HighBit=11)
    assert np.abs(shown(file) - 255 * (values - 100.0) / 3000).max() <= 0.51
    assert np.array_equal(shown(dicom(np.full((4, 4), 7, np.uint16))), np.zeros((4, 4)))


def test_a_voi_table_is_looked_up() -> None:
    table = Dataset()
    table.LUTDescriptor = [256, 0, 16]
    table["LUTDescriptor"].VR = "US"
    entries = (np.arange(256, dtype=np.uint16)[::-1] * 257).astype(np.uint16)
    table.add_new("LUTData", "OW", entries.tobytes())
    values = ramp("uint8", 0, 255)
    file = dicom(values, VOILUTSequence=[table], WindowCenter=10, WindowWidth=20)
    assert np.array_equal(shown(file), 255 - values)
    expected = 255 * ((values - 99.5) / 199 + 0.5).clip(0, 1)
    assert np.abs(shown(file, window="100/200") - expected).max() <= 0.51


def test_colours_become_rgb() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    assert np.array_equal(shown(dicom(rgb, "RGB")), rgb)
    ybr = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    found = shown(dicom(ybr, "YBR_FULL")).astype(int)
    assert np.abs(found - np.asarray(Image.fromarray(ybr, "YCbCr").convert("RGB"))).max() <= 2


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_a_palette_becomes_rgb() -> None:
    indices = ramp("uint8", 0, 255)
    file = dicom(indices, "PALETTE COLOR")
    tables = {"Red": np.arange(256), "Green": np.arange(256)[::-1], "Blue": np.full(256, 9)}
    for colour, table in tables.items():
        setattr(file, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        data = (table * 257).astype("<u2").tobytes()
        setattr(file, f"{colour}PaletteColorLookupTableData", data)
    expected = np.stack([indices, 255 - indices, np.full_like(indices, 9)], -1)
    assert np.array_equal(shown(file), expected)


def test_a_frame_must_be_chosen() -> None:
    values = np.stack([ramp("uint8", 0, 100), ramp("uint8", 50, 250)])
    assert np.array_equal(shown(dicom(values), frame=1), values[1])
    for frame, message in (
        (-1, "has 2 frames: choose one with --reading frame=K"),
        (2, "but not frame 2"),
    ):
        with pytest.raises(ValueError, match=message):
            shown(dicom(values), frame=frame)


def test_run_lengths_and_deflated_files_are_read() -> None:
    values = ramp("uint8", 0, 255)
    file = dicom(values)
    file.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert np.array_equal(shown(file), values)
    file = dicom(values)
    file.compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(shown(file), values)


@pytest.mark.parametrize(
    ("syntax", "suffix", "settings"),
    [
        (JPEGBaseline8Bit, "jpeg", {"quality": 95}),
        (JPEG2000Lossless, "jpeg2000", {"irreversible": False}),
    ],
)
def test_jpeg_inside_is_what_pillow_reads(
    syntax: UID, suffix: str, settings: dict[str, object]
) -> None:
    stream = io.BytesIO()
    Image.fromarray(ramp("uint8", 0, 255)).save(stream, suffix, **settings)
    file = dicom(ramp("uint8", 0, 255))
    file.file_meta.TransferSyntaxUID = syntax
    file.PixelData = encapsulate([stream.getvalue() + b"\0" * (len(stream.getvalue()) % 2)])
    file["PixelData"].is_undefined_length = True
    assert np.array_equal(shown(file), np.asarray(Image.open(stream)))


@pytest.mark.parametrize("window", ["40", "a/b", "40/0", "40/nan", "1/2/3"])
def test_a_window_that_is_none_is_refused(window: str) -> None:
    with pytest.raises(InputError, match="a window is CENTRE/WIDTH"):
        Reading(window=window)


def test_bad_files_are_refused_without_a_word_of_them() -> None:
    good = dicom(ramp("uint8", 0, 255), PatientName="SECRET", PatientBirthDate="19010203")
    absurd = dicom(ramp("uint8", 0, 255), PatientName="SECRET")
    absurd.Rows = absurd.Columns = 60_000
    empty = dicom(ramp("uint8", 0, 255), PatientName="SECRET")
    del empty.PixelData
    strange = dicom(ramp("uint8", 0, 255), "SECRET", PatientName="SECRET")
    unread = dicom(ramp("uint8", 0, 255), PatientName="SECRET")
    unread.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    unread.PixelData = encapsulate([b"no JPEG at all"])
    unread["PixelData"].is_undefined_length = True
    data = written(good)
    for file, message in [
        (written(absurd), "claims 60000 x 60000 pixels"),
        (written(empty), "without pixel data"),
        (written(strange), "is damaged DICOM"),
        (data[:-100], "truncated pixel data"),
        (data[:200], "without pixel data|is damaged DICOM"),
        (bytes(128) + b"DICM", "without pixel data|is damaged DICOM"),
        (b"", "not a DICOM file|is damaged DICOM"),
    ]:
        with pytest.raises(ValueError, match=message) as raised:
            read_dicom(file, DicomView(), LARGEST)
        assert "SECRET" not in str(raised.value)


def test_dicom_files_are_the_same_cohort_as_pictures(class_folders: Path, tmp_path: Path) -> None:
    """Named by suffix, by number or by UID, whatever lies beside them."""
    expected = load_cohort(class_folders, SHAPE)
    endings = ["{}.dcm", "{}", "1.2.840.{}", "{}.DICOM"]
    for file in class_folders.rglob("*.png"):
        folder = tmp_path / "dicom" / file.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        number = int(file.stem)
        pixels = np.asarray(
            Image.open(file).convert("L").resize((24, 20), Image.Resampling.BILINEAR)
        )
        (folder / endings[number % 4].format(f"{number:04d}")).write_bytes(written(dicom(pixels)))
        (folder / "LICENSE").write_text("no picture")
        (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    found = load_cohort(tmp_path / "dicom", SHAPE)
    assert len(found) == len(expected)
    assert found.images.skipped == ()
    assert found.images.digests() == expected.images.digests()
    assert sorted(found.labels.tolist()) == sorted(expected.labels.tolist())


def test_a_dicom_file_is_no_photograph(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(written(dicom(ramp("uint8", 0, 255))))
    with pytest.raises(InputError, match="a DICOM file is not a photograph"):
        load_natural(tmp_path, SHAPE)


MARK = "ZZQX"
TEXTS = {"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "DA", "TM", "DT", "UI", "UR"}


def identifying() -> FileDataset:
    """Make a file with a mark in every text of the data dictionary that is no part of the picture."""
    file = dicom(ramp("uint8", 0, 255))
    for tag, (kind, _, _, retired, _) in DicomDictionary.items():
        if kind not in TEXTS or retired or tag in file or tag >> 16 in (0x0028, 0x0002, 0x0000):
            continue
        value = {"DA": "19010203", "TM": "010203", "DT": "19010203010203", "AS": "099Y"}.get(
            kind, MARK
        )
        file.add_new(tag, kind, "1.2.190102.3" if kind == "UI" else value)
    return file


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_nothing_of_a_patient_reaches_an_audit(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Every text of the dictionary is marked: all tags of the confidentiality profile, and more."""
    import torch
    from torch import nn

    from oracles import as_classifier
    from straylight import Gradient, Plan, run, write_report

    file = identifying()
    assert len(file) > 1000
    assert {"PatientName", "PatientID", "PatientBirthDate", "AccessionNumber"} <= set(file.dir())
    data = written(file)
    assert MARK.encode() in data
    broken = dcmread(io.BytesIO(data))
    del broken.PixelData
    for label in ("dark", "light"):
        (tmp_path / "scans" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "scans" / label / f"{number}.dcm").write_bytes(data)
    (tmp_path / "scans" / "dark" / "broken.dcm").write_bytes(written(broken))
    (tmp_path / "scans" / "dark" / "cut.dcm").write_bytes(data[:-50])
    caplog.clear()
    capfd.readouterr()
    cohort = load_cohort(tmp_path / "scans", SHAPE)
    assert len(cohort) == 6
    assert len(cohort.images.skipped) == 2
    network = nn.Sequential(nn.AvgPool2d((20, 24)), nn.Flatten(), nn.Linear(1, 2))
    classifier = as_classifier(network, SHAPE)
    photographs = load_natural("builtin:noise", SHAPE, n=8)
    plan = Plan(norm="linf", eps=0.1, methods=(Gradient(steps=1),), control_seeds=1)
    cohort = type(cohort)(cohort.images, cohort.labels, classifier.class_names)
    run(plan, classifier, photographs, cohort, tmp_path / "audit")
    write_report(tmp_path / "audit")
    said = capfd.readouterr()
    found = [said.out.encode(), said.err.encode(), caplog.text.encode()]
    found += [path.read_bytes() for path in (tmp_path / "audit").rglob("*") if path.is_file()]
    assert len(found) > 5
    assert torch.is_tensor(cohort.labels)
    for secret in (MARK.encode(), b"19010203", b"190102.3"):
        assert not any(secret in item for item in found)
