"""Tags of DICOM files that are empty, or in another byte order."""

from pathlib import Path

import numpy as np
from pydicom import Dataset

from dicoms import dicom, written
from encoded_images import BYTES, COLOUR, DEEP, GREY, PATCH_SIDE, RNG, VIEW, as_big_endian
from grey_files import FULL, MONO_SPAN, MONO_VALUES, grey_pixels, load_grey_files
from straylight.data.files.decode import decode_image


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
    files = {f"{k:02}.dcm": written(dicom(MONO_VALUES, **(FULL | t))) for k, t in enumerate(tags)}
    found = load_grey_files(tmp_path, files)
    assert found.images.skipped == ()
    assert (grey_pixels(found) == MONO_SPAN).all()


def test_a_big_endian_palette_has_its_own_colours() -> None:
    tables = DEEP.reshape(-1, 3)
    order = np.argsort(BYTES, axis=None).reshape(PATCH_SIDE, PATCH_SIDE).astype(np.uint8)
    for swapped in (False, True):
        file = dicom(order, "PALETTE COLOR")
        for number, colour in enumerate(("Red", "Green", "Blue")):
            setattr(file, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            words = tables[:, number].astype(">u2" if swapped else "<u2").tobytes()
            setattr(file, f"{colour}PaletteColorLookupTableData", words)
        shown = decode_image(as_big_endian(file) if swapped else written(file), COLOUR, VIEW)
        assert (shown == np.round(tables[order] / 65535 * 255).transpose(2, 0, 1)).all()


def test_a_big_endian_table_of_bytes_has_its_own_order() -> None:
    entries = RNG.permutation(256).astype(np.uint8)
    for swapped in (False, True):
        item = Dataset()
        item.LUTDescriptor = [256, 0, 8]
        item.add_new(
            "LUTData", "OW", (entries.view("<u2").byteswap() if swapped else entries).tobytes()
        )
        file = dicom(BYTES, VOILUTSequence=[item])
        shown = decode_image(as_big_endian(file) if swapped else written(file), GREY, VIEW)
        assert (shown[0] == entries[BYTES]).all()
