"""The loaders on the real development data, as an ordinary user's folders and files."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dicoms import dicom, written
from straylight import Auto, Gradient, Method, Plan, Sequential, run
from straylight.cohort.load import load_cohort
from straylight.data.images import ImageSet
from straylight.data.photographs.load import load_natural
from straylight.models.backbones import build_network
from straylight.models.classifier import Classifier
from straylight.models.weights import load_weights

pytestmark = pytest.mark.shared


def counts(folder: Path, spec: str, channels: int) -> dict[str, int]:
    cohort = load_cohort(folder / spec, (channels, 16, 16))
    assert not cohort.images.skipped
    numbers = cohort.labels.bincount(minlength=len(cohort.class_names)).tolist()
    return dict(zip(cohort.class_names, numbers, strict=True))


def of_radiographs() -> Classifier:
    """A linear classifier of two classes, 1 x 32 x 32."""
    network = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(16, 2))
    weight = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    network[2].weight.data, network[2].bias.data = weight, -weight.sum(1) / 2
    names = ("NORMAL", "PNEUMONIA")
    return Classifier(network, shape=(1, 32, 32), class_names=names, mean=(0.0,), std=(1.0,))


def copied(files: list[Path], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, folder)
    return folder


def packed(folder: Path, kind: str) -> str:
    return shutil.make_archive(str(folder), kind, folder)


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
    classifier = of_radiographs()
    shape = classifier.shape
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


def test_photographs_are_the_same_whichever_way_they_come(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRAYLIGHT_CACHE", str(tmp_path / "cache"))
    files = sorted((shared / "natural").iterdir())[:40]
    folder = copied(files, tmp_path / "natural")
    for number in (0, 1):
        packed(copied(files[20 * number :][:20], tmp_path / f"part{number}"), "tar")
    copied(files, tmp_path / "set" / "train")
    shape = (3, 24, 24)
    expected = load_natural(folder, shape, cache=False)
    ways = [
        *(folder, folder, packed(folder, "zip"), packed(folder, "gztar")),
        *(f"{tmp_path}/part{{0..1}}.tar", f"hf:{tmp_path}/set:train"),
    ]
    for way in ways:
        for cache in (True, False):
            assert load_natural(way, shape, cache=cache).sha256 == expected.sha256
    # All ways have the same content in the same order, and so one cache.
    assert len(list((tmp_path / "cache").glob("*/pixels.npy"))) == 1


def test_dermoscopy_is_the_same_whichever_way_it_comes(shared: Path, tmp_path: Path) -> None:
    with (shared / "skin" / "test.csv").open(encoding="utf-8") as stream:
        rows = sorted((row["label"], row["file"]) for row in csv.DictReader(stream))[::30]
    folder = tmp_path / "set" / "test"
    for label, file in rows:
        copied([shared / "skin" / file], folder / label)
    lines = [f"{label}/{Path(file).name},{label}" for label, file in rows]
    (folder / "test.csv").write_text("\n".join(["file,label", *sorted(lines)]))
    shape = (3, 24, 24)
    expected = load_cohort(folder / "test.csv", shape)
    assert len(expected) == len(rows) == 61
    (folder / "test.csv").unlink()
    names = np.array(expected.class_names)
    arrays = {"images": expected.images.pixels.numpy(), "labels": names[expected.labels]}
    np.savez(tmp_path / "test.npz", **arrays)
    for way in (folder, packed(folder, "zip"), tmp_path / "test.npz", f"hf:{tmp_path}/set:test"):
        found = load_cohort(way, shape, expected.class_names)
        assert found.images.sha256 == expected.images.sha256
        assert torch.equal(found.labels, expected.labels)


def test_an_audit_counts_the_same_whichever_way_its_images_come(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Radiographs and photographs in folders without a cache, and in archives with it, warm."""
    monkeypatch.setenv("STRAYLIGHT_CACHE", str(tmp_path / "cache"))
    for label in ("NORMAL", "PNEUMONIA"):
        files = sorted((shared / "chest" / "test" / label).iterdir())[:30]
        copied(files, tmp_path / "chest" / label)
    photos = copied(sorted((shared / "natural").iterdir())[:40], tmp_path / "natural")
    classifier = of_radiographs()
    shape, names = classifier.shape, classifier.class_names
    archive = packed(photos, "zip")
    load_natural(archive, shape)
    ways = [
        (load_natural(photos, shape, cache=False), load_cohort(tmp_path / "chest", shape, names)),
        (
            load_natural(archive, shape),
            load_cohort(packed(tmp_path / "chest", "tar"), shape, names),
        ),
    ]
    auto = Method(Auto(image_passes=900, batch_size=8), "photographs")
    methods = (Gradient(steps=4), auto, Sequential(step_size=0.02))
    plan = Plan(norm="linf", eps=0.1, methods=methods, control_seeds=1)
    found = []
    for number, way in enumerate(ways):
        audit = run(plan, classifier, *way, tmp_path / f"audit-{number}")
        found.append([(item.name, item.score, item.l2) for item in audit.perturbations])
    assert found[0] == found[1]
    assert all(score.fooled.hits > 0 for _, score, _ in found[0][:3])


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
