"""The loaders on the real development data, as an ordinary user's folders and files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dicoms import dicom, written
from straylight import Gradient, Plan, run
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


def test_radiographs_as_dicom_give_the_same_audit(shared: Path, tmp_path: Path) -> None:
    """The same images as JPEG and as DICOM: the same figures, to the last count."""
    for label in ("NORMAL", "PNEUMONIA"):
        (tmp_path / "jpeg" / label).mkdir(parents=True)
        (tmp_path / "dicom" / label).mkdir(parents=True)
        for file in sorted((shared / "chest" / "test" / label).iterdir())[:30]:
            shutil.copy(file, tmp_path / "jpeg" / label)
            pixels = np.asarray(Image.open(file).convert("L"))
            data = written(dicom(pixels, PatientName="Doe^Jane"))
            (tmp_path / "dicom" / label / f"{file.stem}.dcm").write_bytes(data)
    shape = (1, 32, 32)
    network = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(16, 2))
    weight = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    network[2].weight.data, network[2].bias.data = weight, -weight.sum(1) / 2
    names = ("NORMAL", "PNEUMONIA")
    classifier = Classifier(network, shape=shape, class_names=names, mean=(0.0,), std=(1.0,))
    photographs = load_natural(shared / "natural", shape, n=40)
    plan = Plan(norm="linf", eps=0.1, methods=(Gradient(steps=4),), control_seeds=1)
    found = []
    for kind in ("jpeg", "dicom"):
        cohort = load_cohort(tmp_path / kind, shape, classifier.class_names)
        audit = run(plan, classifier, photographs, cohort, tmp_path / f"audit-{kind}")
        assert audit.cohort.n == 60
        found.append([(item.name, item.score) for item in audit.perturbations])
    assert found[0] == found[1]
    assert found[0][0][1].fooled.hits > 0


def test_photographs_come_from_folder_zip_and_tar_alike(shared: Path, tmp_path: Path) -> None:
    folder = shared / "natural"
    expected = load_natural(folder, (3, 16, 16), n=120, seed=2)
    shutil.make_archive(str(tmp_path / "natural"), "zip", shared, "natural")
    shutil.make_archive(str(tmp_path / "natural"), "gztar", shared, "natural")
    for name in ("natural.zip", "natural.tar.gz"):
        found = load_natural(tmp_path / name, (3, 16, 16), n=120, seed=2)
        assert found.sha256 == expected.sha256


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
