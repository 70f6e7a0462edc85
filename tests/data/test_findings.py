"""Findings of images and of classifiers, over every set of three."""

from itertools import combinations

import pytest

from straylight.core.errors import InputError
from straylight.data.findings import (
    choose_finding,
    findings_of,
    number_findings,
    parse_findings,
)

NAMES = ("mass", "edema", "hernia")
EVERY = [frozenset(found) for n in range(4) for found in combinations(NAMES, n)]


def test_an_image_of_one_finding_has_its_class_and_one_of_several_none() -> None:
    numbered = number_findings(EVERY, ("no finding", *NAMES), "x")
    assert numbered.numbers == {0: 0, 1: 1, 2: 2, 3: 3}
    assert numbered.skipped == {
        4: "several findings: mass, edema",
        5: "several findings: mass, hernia",
        6: "several findings: edema, hernia",
        7: "several findings: mass, edema, hernia",
    }
    with pytest.raises(InputError, match="every image of x has several findings: audit one"):
        number_findings(EVERY[4:], ("no finding", *NAMES), "x")


@pytest.mark.parametrize("name", NAMES)
def test_of_one_finding_it_counts_only_whether_it_is_there(name: str) -> None:
    numbered = number_findings(EVERY, (f"no {name}", name), "x")
    assert numbered.numbers == {k: int(name in found) for k, found in enumerate(EVERY)}
    assert numbered.skipped == {}


def test_a_list_is_read_whatever_its_spaces_and_order() -> None:
    for found in EVERY:
        for label in ("|".join(found), f" | {' |  '.join(sorted(found))}||"):
            assert parse_findings(label, "x") == found
    assert parse_findings("NO finding | no Finding", "x") == frozenset()
    with pytest.raises(InputError, match="which has both a finding and no finding"):
        parse_findings("mass|No Finding", "x")


@pytest.mark.parametrize("finding", [*NAMES, "all"])
def test_the_classes_of_a_chosen_finding_have_it(finding: str) -> None:
    chosen, classes = choose_finding(finding, NAMES, 3, "m.onnx")
    expected = NAMES if finding == "all" else (finding,)
    assert findings_of(classes) == expected
    assert chosen == "all" or NAMES[chosen] == finding


@pytest.mark.parametrize(
    ("finding", "names", "n_outputs", "said"),
    [
        ("rib", NAMES, 3, "m.onnx has 3 outputs: name them all with --classes, rib among them"),
        ("mass", NAMES, 4, "m.onnx has 4 outputs: name them all"),
        ("all", ("mass", "No Finding"), 2, "has an output 'No Finding', so --finding all is ambig"),
        ("all", ("ALL", "mass"), 2, "has an output 'ALL', so --finding all is ambiguous"),
    ],
)
def test_findings_that_no_output_has_are_refused(
    finding: str, names: tuple[str, ...], n_outputs: int, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        choose_finding(finding, names, n_outputs, "m.onnx")
