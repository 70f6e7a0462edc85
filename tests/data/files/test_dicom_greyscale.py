"""The greys of DICOM files against the standard's formulae and two other decoders.

Always: a float implementation written here from PS3.3 C.7.6.3, C.11.1 and C.11.2. Where they apply:
pydicom's own `apply_modality_lut` and `apply_voi_lut`; and, where it is installed, DCMTK's `dcmj2pnm`.
"""

import io
import itertools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dicoms import dicom, written
from encoded_images import DEEP, GREY
from grey_files import FULL, MONO_SIDE, MONO_SPAN, MONO_VALUES, grey_pixels, load_grey_files
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.data.files.dicom import DicomView, read_dicom
from straylight.data.value_ranges import CHOSEN_WINDOW
from straylight.evaluation.preflight.images import check_images

ROWS, COLUMNS = 20, 24
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table."""

    bits: int
    signed: bool = False
    modality: str = ""
    voi: str = ""
    kind: str = "MONOCHROME2"
    padded: bool = False
    enhanced: bool = False
    syntax: UID = ExplicitVRLittleEndian
    high: int = -1
    given: str = ""

    def __str__(self) -> str:
        defaults = {"bits": 0} | {k: getattr(Row(bits=0), k) for k in Row.__dataclass_fields__}
        told = {k: v for k, v in vars(self).items() if v != defaults[k]}
        return "-".join(f"{k}={getattr(v, 'name', v)}" for k, v in told.items())

    @property
    def lowest(self) -> int:
        return -(2 ** (self.bits - 1)) if self.signed else 0

    @property
    def padding(self) -> int:
        return self.lowest + 1


def stored(row: Row) -> NDArray[np.int64]:
    """Values from end to end, with the padding at one edge."""
    values = np.linspace(row.lowest + 3, row.lowest + 2**row.bits - 9, ROWS * COLUMNS)
    values = values.round().astype(np.int64).reshape(ROWS, COLUMNS)
    if row.padded:
        values[:3] = row.padding
    return values


RESCALED = {"scale": (0.5, -100.0), "hounsfield": (1.0, -1024.0), "falling": (-2.0, 30.0)}
VOI = ("", "linear", "narrow", "exact", "sigmoid", "table")
UNUSABLE: dict[str, dict[str, Any]] = {
    "empty": {"WindowCenter": None, "WindowWidth": None},
    "only-width": {"WindowWidth": 100},
    "only-centre": {"WindowCenter": 100},
    "zero-width": {"WindowCenter": 100, "WindowWidth": 0},
    "below-one": {"WindowCenter": 100, "WindowWidth": 0.5},
    "empty-table": {"VOILUTSequence": []},
    "empty-item": {"VOILUTSequence": [Dataset()]},
}


def middle(row: Row) -> tuple[float, float]:
    """A window over the middle third of the rescaled values."""
    ends = rescale(np.array([row.lowest, row.lowest + 2**row.bits - 1], float), row)
    return float(ends.mean()), float(abs(ends[1] - ends[0]) / 3)


def entries(n: int) -> NDArray[np.uint16]:
    """A table that rises like a root, of 12 bits."""
    return np.round(4095 * np.sqrt(np.arange(n) / (n - 1))).astype(np.uint16)


N_ENTRIES = 200
BIG: dict[str, Any] = {"implicit_vr": False, "little_endian": False}


def table_first(row: Row) -> int:
    return int(middle(row)[0]) - 90


def rescale(values: Floats, row: Row) -> Floats:
    """PS3.3 C.11.1."""
    if row.modality == "table":
        place = (values - (row.lowest + 20)).clip(0, N_ENTRIES - 1).astype(int)
        return entries(N_ENTRIES)[place].astype(float)
    slope, intercept = RESCALED.get(row.modality, (1.0, 0.0))
    return values * slope + intercept


def share(values: Floats, row: Row) -> Floats:
    """PS3.3 C.11.2.1: the share of white."""
    centre, width = map(float, row.given.split("/")) if row.given else middle(row)
    voi = row.voi if row.voi in ("exact", "sigmoid") or not row.given else "linear"
    if voi == "narrow":
        width = 1.0
    if voi in ("linear", "narrow"):
        inside = (values - (centre - 0.5)) / max(width - 1, 1e-300) + 0.5
        low = values <= centre - 0.5 - (width - 1) / 2
        return np.where(low, 0, np.where(values > centre - 0.5 + (width - 1) / 2, 1, inside))
    if voi == "exact":
        inside = (values - centre) / width + 0.5
        return np.where(
            values <= centre - width / 2, 0, np.where(values > centre + width / 2, 1, inside)
        )
    if voi == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)))
    assert voi == "table"
    place = np.rint(values - table_first(row)).clip(0, N_ENTRIES - 1).astype(int)
    return entries(N_ENTRIES)[place] / 4095


def expected(row: Row) -> Floats:
    """What is shown, unrounded, in 0..255."""
    values = stored(row).astype(float)
    found = rescale(values, row)
    padding = (values == row.padding) & row.padded
    if row.given or row.voi in VOI[1:]:
        shown, black = share(found, row), np.zeros_like(padding)
    elif row.bits <= 8 and not row.signed and not row.modality:
        shown, black = found / (2**row.bits - 1), np.zeros_like(padding)
    else:
        body = found[~padding]
        shown, black = (found - body.min()) / (body.max() - body.min()), padding
    shown = shown.clip(0, 1)
    shown = 1 - shown if row.kind == "MONOCHROME1" else shown
    return 255 * np.where(black, 0.0, shown)


def lut(first: int, signed: bool) -> Dataset:
    found = Dataset()
    found.add_new("LUTDescriptor", "SS" if signed else "US", [N_ENTRIES, first, 12])
    found.add_new("LUTData", "OW", entries(N_ENTRIES).astype("<u2").tobytes())
    return found


def modality_tags(row: Row) -> dict[str, Any]:
    if row.modality == "table":
        return {"ModalityLUTSequence": [lut(row.lowest + 20, row.signed)]}
    if not row.modality:
        return {}
    return dict(zip(("RescaleSlope", "RescaleIntercept"), RESCALED[row.modality], strict=True))


def voi_tags(row: Row) -> dict[str, Any]:
    if row.voi == "table":
        return {"VOILUTSequence": [lut(table_first(row), table_first(row) < 0)]}
    if row.voi not in VOI[1:]:
        return UNUSABLE.get(row.voi, {})
    centre, width = middle(row)
    function = {"exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}.get(row.voi)
    return {
        "WindowCenter": f"{centre:.6g}",
        "WindowWidth": "1" if row.voi == "narrow" else f"{width:.6g}",
    } | ({"VOILUTFunction": function} if function else {})


def make(row: Row) -> bytes:
    """Write the file of a row."""
    size = 8 if row.bits <= 8 else 16
    container = stored(row) & (2**row.bits - 1)
    high = row.bits - 1 if row.high < 0 else row.high
    container = container << (high + 1 - row.bits)
    if row.high >= 0:
        container |= (1 << (high + 1 - row.bits)) - 1  # noise below
    elif row.bits < size:
        container |= (stored(row) % 3 == 0).astype(np.int64) << (size - 1)  # an overlay above
    tags, window = modality_tags(row), voi_tags(row)
    values = container.astype(f"u{size // 8}")
    file = dicom(values, row.kind)
    file.BitsStored, file.HighBit, file.PixelRepresentation = row.bits, high, int(row.signed)
    if row.padded:
        file.add_new("PixelPaddingValue", "SS" if row.signed else "US", row.padding)
    if row.enhanced:
        shared, own = Dataset(), Dataset()
        if tags:
            shared.PixelValueTransformationSequence = [dataset_of(tags)]
        own.FrameVOILUTSequence = [dataset_of(window)]
        file.SharedFunctionalGroupsSequence = [shared]
        file.PerFrameFunctionalGroupsSequence = [own]
    else:
        for name, value in (tags | window).items():
            setattr(file, name, value)
    file.file_meta.TransferSyntaxUID = row.syntax
    if row.syntax == ExplicitVRBigEndian:
        file.PixelData = values.astype(f">u{size // 8}").tobytes()
        stream = io.BytesIO()
        dcmwrite(stream, file, force_encoding=True, **BIG)
        return stream.getvalue()
    if row.syntax == RLELossless:
        file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file.compress(RLELossless, generate_instance_uid=False)
    return written(file)


def dataset_of(tags: dict[str, Any]) -> Dataset:
    found = Dataset()
    for name, value in tags.items():
        setattr(found, name, value)
    return found


DEPTHS = [(8, False), (8, True), (12, False), (12, True), (16, False), (16, True)]
PLAIN = [
    Row(bits=bits, signed=signed, modality=modality, voi=voi)
    for (bits, signed), (modality, voi) in itertools.product(
        DEPTHS, [("", ""), ("", "linear"), ("hounsfield", "linear"), ("scale", ""), ("", "table")]
    )
]
VARIED = [
    *(Row(bits=12, voi=voi, modality="falling") for voi in ("", "linear", "narrow", "exact", "sigmoid")),
    *(Row(bits=12, voi=voi, kind="MONOCHROME1") for voi in VOI),
    *(Row(bits=8, voi=voi, kind="MONOCHROME1") for voi in ("", "linear", "table")),
    *(Row(bits=12, voi=voi, enhanced=True, modality="hounsfield") for voi in VOI),
    *(Row(bits=16, signed=True, voi=voi, enhanced=True) for voi in ("", "linear", "table")),
    *(Row(bits=12, modality="table", voi=voi) for voi in ("", "linear", "sigmoid")),
    *(Row(bits=12, signed=True, modality="table", enhanced=e) for e in (False, True)),
    *(Row(bits=12, voi=voi, modality=m) for voi in UNUSABLE for m in ("", "hounsfield")),
    *(Row(bits=12, voi=voi, enhanced=True) for voi in UNUSABLE),
    *(Row(bits=bits, signed=s, padded=True) for bits, s in DEPTHS),
    *(Row(bits=12, padded=True, kind="MONOCHROME1", voi=voi) for voi in ("", "linear")),
    *(Row(bits=12, padded=True, enhanced=True, modality="scale") for _ in range(1)),
    *(Row(bits=12, signed=s, high=h) for s in (False, True) for h in (13, 15)),
    *(Row(bits=6, voi=voi) for voi in ("", "linear")),
    *(Row(bits=10, signed=True, voi=voi) for voi in ("", "linear")),
    *(
        Row(bits=bits, signed=s, syntax=syntax, modality="hounsfield", voi="linear", enhanced=e)
        for bits, s in ((8, False), (12, True))
        for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless)
        for e in (False, True)
    ),
    *(Row(bits=bits, syntax=ExplicitVRBigEndian, voi=voi) for bits in (8, 12) for voi in ("", "linear")),
    *(Row(bits=12, modality="hounsfield", given="40/400", enhanced=e, voi=v)
      for e in (False, True) for v in ("", "linear", "table", "sigmoid")),
]  # fmt: skip
TABLE = [*PLAIN, *VARIED]


def shown(data: bytes, row: Row) -> NDArray[np.uint8]:
    return np.asarray(read_dicom(data, DicomView(window=row.given), 2**20)[0])


def test_the_table_is_large() -> None:
    assert len({str(row) for row in TABLE}) == len(TABLE) > 100


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_greys_are_the_standards_formulae(row: Row) -> None:
    assert np.abs(shown(make(row), row) - expected(row)).max() <= 0.502


PYDICOMS = [
    row
    for row in TABLE
    if row.voi in VOI[1:]
    and not (row.enhanced or row.given or row.high >= 0 or row.voi == "narrow")
    if row.modality != "table" or row.voi == "table"  # it stumbles over tables of 12 bits
]


@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")
@pytest.mark.parametrize("row", PYDICOMS, ids=str)
def test_greys_are_those_of_pydicom(row: Row, tmp_path: Path) -> None:
    data = make(row)
    (tmp_path / "a.dcm").write_bytes(data)
    file = dcmread(tmp_path / "a.dcm")
    found = apply_modality_lut(file.pixel_array, file).astype(float)
    if row.voi == "table":
        looked_up = apply_voi_lut(found.astype(np.int64), file, prefer_lut=True)
        greys = np.asarray(looked_up, float) / 4095
    else:
        ends = apply_voi_lut(np.append(found, [-1e9, 1e9]), file)
        greys = (ends[:-2].reshape(found.shape) - ends[-2]) / (ends[-1] - ends[-2])
    greys = 1 - greys if row.kind == "MONOCHROME1" else greys
    assert np.abs(shown(data, row) - 255 * greys).max() <= 0.502


DCMTK = shutil.which("dcmj2pnm")
# dcmj2pnm knows neither functional groups nor unusable windows, shows padding as any value, and spreads
# 8 bits without a window from least to greatest as well. It does not know exact windows, and it rounds
# rescaled values to whole numbers.
DCMTKS = [
    row
    for row in TABLE
    if not (row.enhanced or row.padded or row.voi in UNUSABLE or row.voi == "exact")
    and (row.voi or row.given or row.bits > 8 or row.modality)
    and (row.bits > 8 or row.modality != "scale")
]


@pytest.mark.skipif(DCMTK is None, reason="dcmj2pnm (Debian's dcmtk) is not installed")
@pytest.mark.parametrize("row", DCMTKS, ids=str)
def test_greys_are_those_of_dcmtk(row: Row, tmp_path: Path) -> None:
    data = make(row)
    (tmp_path / "a.dcm").write_bytes(data)
    window = ["+Wm"]
    if row.given:
        window = ["+Ww", *row.given.split("/")]
    elif row.voi:
        window = ["+Wl", "1"] if row.voi == "table" else ["+Wi", "1"]
    command = [str(DCMTK), *window, "+obt", "a.dcm", "a.bmp"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    greys = np.asarray(Image.open(tmp_path / "a.bmp").convert("L")).astype(int)
    assert np.abs(greys - shown(data, row)).max() <= 1


def make_dataset(**tags: object) -> Dataset:
    found = Dataset()
    for name, value in tags.items():
        setattr(found, name, value)
    return found


def test_case_01_an_empty_window_is_none(tmp_path: Path) -> None:
    windows: list[dict[str, object]] = [
        {},
        {"WindowCenter": None, "WindowWidth": None},
        {"WindowWidth": 4095},
        {"WindowCenter": 2047},
        {"WindowCenter": None, "WindowWidth": 300},
    ]
    files = {f"{k}.dcm": written(dicom(MONO_VALUES, **FULL, **w)) for k, w in enumerate(windows)}
    found = load_grey_files(tmp_path, files)
    assert found.images.skipped == ()
    assert (grey_pixels(found) == MONO_SPAN).all()
    (told,) = found.images.value_ranges
    assert told == {
        **{"how": "least to greatest", "n": 5},
        **{"darkest": [0, 0], "lightest": [3968, 3968]},
    }


def test_case_01b_a_cohort_with_empty_windows_is_scored_as_its_pictures(tmp_path: Path) -> None:
    """Half of the files say their window, half leave it empty; both are the 8-bit picture."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (8, MONO_SIDE, MONO_SIDE), dtype=np.uint8)
    pictures[:, 0, 0], pictures[:, 0, 1] = 0, 255
    files = {}
    for number, picture in enumerate(pictures):
        file = dicom(picture.astype(np.uint16) * 16, **FULL)
        file.WindowCenter, file.WindowWidth = (2040.5, 4081) if number % 2 else (None, None)
        files[f"{number}.dcm"] = written(file)
    assert (grey_pixels(load_grey_files(tmp_path, files)) == pictures).all()


def make_enhanced(**shared: list[Dataset]) -> FileDataset:
    return dicom(
        MONO_VALUES,
        **FULL,
        NumberOfFrames=1,
        SharedFunctionalGroupsSequence=[make_dataset(**shared)],
    )


@pytest.mark.parametrize("window", ["", "-500/600", "40/400"])
def test_case_03_an_enhanced_object_is_as_its_classic_twin(tmp_path: Path, window: str) -> None:
    rescaled = {"RescaleIntercept": -1024, "RescaleSlope": 1}
    own = {"WindowCenter": -500, "WindowWidth": 600}
    twin = make_enhanced(
        PixelValueTransformationSequence=[make_dataset(**rescaled)],
        FrameVOILUTSequence=[make_dataset(**own)],
    )
    files = {
        "a.dcm": written(dicom(MONO_VALUES, **FULL, **rescaled, **own)),
        "b.dcm": written(twin),
    }
    classic, other = grey_pixels(load_grey_files(tmp_path, files, window=window))
    assert (classic == other).all()
    centre, width = map(int, (window or "-500/600").split("/"))
    shares = (MONO_VALUES - 1024.0 - (centre - 0.5)) / (width - 1) + 0.5
    assert np.abs(classic - 255 * shares.clip(0, 1)).max() <= 0.502
    assert len(np.unique(classic)) > 5


def test_case_03_each_frame_has_its_own_window(tmp_path: Path) -> None:
    file = dicom(np.stack([MONO_VALUES, MONO_VALUES]), **FULL)
    file.SharedFunctionalGroupsSequence = [
        make_dataset(FrameVOILUTSequence=[make_dataset(WindowCenter=9, WindowWidth=9)])
    ]
    file.PerFrameFunctionalGroupsSequence = [
        make_dataset(FrameVOILUTSequence=[make_dataset(WindowCenter=c, WindowWidth=1000)])
        for c in (700, 2700)
    ]
    shown = grey_pixels(load_grey_files(tmp_path, {"a.dcm": written(file)}, frame=1))[0]
    assert np.abs(shown - 255 * ((MONO_VALUES - 2699.5) / 999 + 0.5).clip(0, 1)).max() <= 0.502


@pytest.mark.parametrize("value", [65535, 0])
def test_case_08_padding_is_no_part_of_the_range(tmp_path: Path, value: int) -> None:
    values = MONO_VALUES + np.uint16(100)
    values[:4] = value
    file = dicom(values)
    file.add_new("PixelPaddingValue", "US", value)
    body = values[4:].astype(float)
    shown = grey_pixels(load_grey_files(tmp_path, {"a.dcm": written(file)}))[0]
    expected = 255 * (body - body.min()) / (body.max() - body.min())
    assert np.abs(shown[4:] - expected).max() <= 0.502
    assert (shown[:4] == 0).all()


def test_a_window_that_leaves_nothing_is_reported(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "a.dcm").write_bytes(written(dicom(DEEP[..., 0] >> 4)))
    found = load_cohort(tmp_path, GREY, ("A",), reading=Reading(window="90000/10"))
    assert [row["how"] for row in found.images.value_ranges] == [CHOSEN_WINDOW]
    (finding,) = check_images(found.images)
    assert finding.level == "warning"
    assert "1 of 1 images have one value in all pixels" in finding.message
