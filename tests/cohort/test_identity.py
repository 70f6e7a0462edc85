"""The identity of labelled images: pixels, labels, and the names of the classes."""

import hashlib
from dataclasses import replace

import torch

from straylight.cohort.cohort import Cohort
from straylight.cohort.identity import cohort_identity, digest_labels
from straylight.data.images import ImageSet


def cohort() -> Cohort:
    return Cohort(
        ImageSet(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), "zeros"),
        torch.tensor([0, 1, 1]),
        ("a", "b"),
    )


def test_labels_are_digested_in_order() -> None:
    expected = hashlib.sha256(b"".join(n.to_bytes(8, "little") for n in (0, 1, 1))).hexdigest()
    assert digest_labels(cohort()) == expected


def test_each_part_counts() -> None:
    original = cohort_identity(cohort())
    assert cohort_identity(cohort()) == original
    swapped = cohort_identity(replace(cohort(), labels=torch.tensor([1, 0, 1])))
    renamed = cohort_identity(replace(cohort(), class_names=("a", "c")))
    assert swapped == original | {"labels": swapped["labels"]} != original
    assert renamed == original | {"classes": ["a", "c"]}
