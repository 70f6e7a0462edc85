"""The loaders on the real development data, as an ordinary user's folders and files."""

from pathlib import Path

import pytest
import torch

from straylight.backbones import build_network
from straylight.classifier import Classifier
from straylight.cohort import load_cohort
from straylight.images import ImageSet
from straylight.sources import load_natural
from straylight.weights import load_weights

pytestmark = pytest.mark.shared


def counts(folder: Path, spec: str, channels: int) -> dict[str, int]:
    cohort = load_cohort(folder / spec, (channels, 16, 16))
    assert not cohort.images.skipped
    numbers = cohort.labels.bincount(minlength=len(cohort.class_names)).tolist()
    return dict(zip(cohort.class_names, numbers, strict=True))


def test_a_manifest_of_dermoscopy(shared: Path) -> None:
    found = counts(shared, "skin/test.csv", 3)
    assert found == {
        "AKIEC": 50, "BCC": 75, "BKL": 190, "DF": 21, "MEL": 140, "NV": 1318, "VASC": 25,
    }  # fmt: skip


def test_class_folders_of_radiographs_and_oct(shared: Path) -> None:
    assert counts(shared, "chest/test", 1) == {"NORMAL": 270, "PNEUMONIA": 270}
    assert counts(shared, "oct/test", 1) == {"CNV": 100, "DME": 99, "DRUSEN": 98, "NORMAL": 100}


def test_imagenet_weights_recognise_photographs(shared: Path) -> None:
    """One photograph a class, in the order of the classes: the network says which."""
    photographs = load_natural(shared / "natural", (3, 224, 224))
    network = build_network("mobilenetv2_100", {"pad_type": "same"}, 1000)
    load_weights(network, shared / "weights" / "mobilenetv2_100_imagenet.safetensors")
    classifier = Classifier(network, shape=(3, 224, 224), class_names=tuple(map(str, range(1000))))
    every_tenth = torch.arange(0, 1000, 10)
    predictions = classifier.predict_all(ImageSet(photographs.pixels[every_tenth], "natural"), 25)
    assert len(photographs) == 1000
    # Measured once, with plain resizing (with a centre crop it is 89.3 % of all 1,000).
    assert int((predictions == every_tenth).sum()) == pytest.approx(78, abs=2)
