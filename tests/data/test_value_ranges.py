"""Which values became black and white: kept for each image, and written into the audit and its report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fixed_audit import fixed_audit
from straylight.audit.results import Audit
from straylight.audit.schema import json_schema
from straylight.data.files.arrays import image_set_from_array
from straylight.data.files.dicom import DicomView
from straylight.data.images import ImageSet
from straylight.data.value_ranges import CHOSEN_WINDOW, HOW, SPAN, ValueRange, summarise_ranges
from straylight.report.audit_setup import make_value_ranges


def deep(*spans: tuple[int, int]) -> np.ndarray:
    return np.stack([np.linspace(*span, 12).round().reshape(3, 4) for span in spans]).astype("u2")


def test_a_set_knows_the_range_of_each_image() -> None:
    found = image_set_from_array(deep((5, 900), (7, 300), (0, 4095)), (1, 3, 4), "x", DicomView())
    assert found.ranges == (
        ValueRange(SPAN, 5, 900),
        ValueRange(SPAN, 7, 300),
        ValueRange(SPAN, 0, 4095),
    )
    (all_of_them,) = found.value_ranges
    assert all_of_them == {"how": SPAN, "n": 3, "darkest": [0, 7], "lightest": [300, 4095]}
    (two,) = found.subset(torch.tensor([1, 0])).value_ranges
    assert two == {"how": SPAN, "n": 2, "darkest": [5, 7], "lightest": [300, 900]}
    (one,) = found.subset(torch.tensor([1, 0])).subset(torch.tensor([0])).value_ranges
    assert one == {"how": SPAN, "n": 1, "darkest": [7, 7], "lightest": [300, 300]}


def test_a_chosen_window_is_told() -> None:
    found = image_set_from_array(deep((5, 900)), (1, 3, 4), "x", DicomView(window="300/101"))
    assert found.ranges == (ValueRange(CHOSEN_WINDOW, 249.5, 349.5),)


def test_a_summary_has_one_row_for_each_way_however_many_images() -> None:
    found = summarise_ranges(ValueRange(HOW[k % 3], k, 2 * k) for k in range(3_000))
    assert [row["how"] for row in found] == list(HOW[:3])
    assert [row["n"] for row in found] == [1_000] * 3
    assert found[1]["lightest"] == [2, 5_996]


def test_images_of_unknown_ranges_have_none() -> None:
    assert ImageSet(torch.zeros(2, 1, 3, 4, dtype=torch.uint8), "x").value_ranges == ()


def test_an_audit_keeps_them_and_reads_audits_without() -> None:
    audit = fixed_audit()
    assert "value_ranges" not in audit.to_json()["cohort"]
    assert make_value_ranges(audit.cohort.value_ranges) == ()
    rows = summarise_ranges([ValueRange(SPAN, 5, 900), ValueRange(CHOSEN_WINDOW, -160, 240)])
    told = replace(audit, cohort=replace(audit.cohort, value_ranges=rows))
    written = json.loads(json.dumps(told.to_json()))
    assert written["cohort"]["value_ranges"] == list(rows)
    again = Audit.from_json(written)
    assert again.cohort.value_ranges == rows
    assert json.loads(json.dumps(again.to_json())) == written
    assert make_value_ranges(rows) == (
        (
            "Black to white",
            "the chosen window, -160 to 240 (1 image); least to greatest, 5 to 900 (1 image)",
        ),
    )


def test_the_schema_lists_every_way() -> None:
    schema = json_schema()["properties"]["cohort"]["properties"]["value_ranges"]
    assert tuple(schema["items"]["properties"]["how"]["enum"]) == HOW


@pytest.mark.parametrize("how", HOW)
def test_every_way_is_summarised(how: str) -> None:
    assert [row["how"] for row in summarise_ranges([ValueRange(how, 0.0, 1.0)])] == [how]
