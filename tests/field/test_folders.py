"""Folders, tables and data sets as people have them: read, or named; the numbers are the field report's."""

import gc
import os
import socket
import sys
import tarfile
import time
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from straylight.audit.plan import Plan
from straylight.audit.run import run
from straylight.cohort.file_lookup import manifest_files
from straylight.cohort.load import Cohort, load_cohort
from straylight.cohort.reading import Reading
from straylight.core.errors import InputError
from straylight.data.files import folder_walk
from straylight.data.images import ImageSet
from straylight.data.photographs.load import load_natural
from straylight.models.classifier import Classifier
from straylight.training.finetune import finetune
from straylight.training.recipe import Recipe

SHAPE = (3, 8, 8)


def picture(path: Path, level: int = 90, form: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (level, level, level)).save(path, form)
    return path


def levels(images: ImageSet) -> list[int]:
    return [int(level) for level in images.pixels[:, 0, 0, 0]]


class Heard:
    """A tracker that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def start(self, title: str, total: int) -> None: ...

    def advance(self, units: int, note: str = "") -> None: ...

    def say(self, line: str) -> None:
        self.lines.append(line)


def train(data: Cohort, out: Path) -> list[str]:
    heard = Heard()
    recipe = Recipe(backbone="test_resnet", weights="none", epochs=1, batch_size=4, validation=0.5)
    finetune(data, recipe, out, heard)
    return heard.lines


def test_case_4_a_class_folder_may_be_a_link(tmp_path: Path) -> None:
    for number in range(4):
        picture(tmp_path / "in" / "NORMAL" / f"{number}.png", 10)
        picture(tmp_path / "elsewhere" / f"{number}.png", 200 + number)
    (tmp_path / "in" / "VASC").symlink_to(tmp_path / "elsewhere")
    cohort = load_cohort(tmp_path / "in", SHAPE)
    assert cohort.counts() == {"NORMAL": 4, "VASC": 4}
    assert levels(cohort.images) == [10] * 4 + [200, 201, 202, 203]
    assert train(cohort, tmp_path / "out")[0] == "8 images of 2 classes: NORMAL 4, VASC 4"


def test_links_lead_round_in_no_circles_and_nowhere_by_name(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "x" / "1.png")
    (tmp_path / "a" / "x" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "x" / "root").symlink_to("/")
    (tmp_path / "a" / "x" / "process").symlink_to("/proc/1")
    (tmp_path / "a" / "x" / "self").symlink_to("self")
    (tmp_path / "a" / "x" / "gone.png").symlink_to(tmp_path / "none")
    (tmp_path / "a" / "x" / "again.png").symlink_to("1.png")
    cohort = load_cohort(tmp_path / "a", SHAPE)
    assert len(cohort) == 1
    said = {item.file: item.reason for item in cohort.images.skipped}
    assert said["x/gone.png"] == said["x/self"] == "a link that leads nowhere"
    assert said["x/up"] == said["x/root"] == "a link back to a folder that it lies in"
    assert said["x/process"] == "a link into the system"
    assert said["x/again.png"] == "the same as x/1.png, by a link"
    (tmp_path / "a" / "y").symlink_to("x")
    with pytest.raises(
        InputError, match="y is the same as x, by a link: give each image one class"
    ):
        load_cohort(tmp_path / "a", SHAPE)


def test_links_that_double_at_every_level_are_visited_once(tmp_path: Path) -> None:
    for level in range(30):
        folder = tmp_path / f"d{level}"
        picture(folder / "1.png", level)
        for name in "ab":
            (folder / name).symlink_to(tmp_path / f"d{level + 1}")
    started = time.process_time()
    found = load_natural(tmp_path / "d0", SHAPE, cache=False)
    assert sorted(levels(found)) == list(range(30))
    assert time.process_time() - started < 2


def test_case_5_pictures_under_any_suffix_are_read(tmp_path: Path) -> None:
    forms = {"a.png": "PNG", "b.gif": "GIF", "c.jfif": "JPEG", "d.jpe": "JPEG", "e.ppm": "PPM"}
    forms |= {"f.jp2": "JPEG2000", "g.IMG": "TIFF", "h": "BMP", "i.pgm": "PPM", "j.xyz": "WEBP"}
    for number, (name, form) in enumerate(forms.items()):
        picture(tmp_path / "A" / name, 20 * number, form)
    for images in (load_cohort(tmp_path, SHAPE).images, load_natural(tmp_path, SHAPE)):
        assert images.skipped == ()
        assert np.abs(np.array(levels(images)) - 20 * np.arange(len(forms))).max() <= 2


def test_case_16_files_that_are_no_pictures_are_counted_and_named(tmp_path: Path) -> None:
    picture(tmp_path / "A" / "a.png")
    for name in ("notes.bin", "scan.nii", "4711", "film.mp4"):
        (tmp_path / "A" / name).write_bytes(b"something")
    with zipfile.ZipFile(tmp_path / "A" / "more.zip", "w") as archive:
        archive.writestr("a.png", b"")
    for name in ("README", "labels.csv", "Thumbs.db", "desktop.ini", ".DS_Store", "DICOMDIR"):
        (tmp_path / "A" / name).write_bytes(b"something")
    for name in ("@eaDir", ".thumbnails", "__MACOSX"):
        picture(tmp_path / "A" / name / "a.png")
    picture(tmp_path / "loose.png")
    cohort = load_cohort(tmp_path, SHAPE)
    assert len(cohort) == 1
    said = {item.file: item.reason for item in cohort.images.skipped}
    unknown = "no image of a known format"
    assert said == dict.fromkeys(("A/notes.bin", "A/scan.nii", "A/4711", "A/film.mp4"), unknown) | {
        "A/more.zip": "an archive inside: unpack it first",
        "loose.png": "in no class folder",
    }


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path) -> None:
    picture(tmp_path / "A" / "a.png")
    os.mkfifo(tmp_path / "A" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "A" / "s.png"))
    (tmp_path / "A" / "zero.png").symlink_to("/dev/zero")
    for images in (load_cohort(tmp_path, SHAPE).images, load_natural(tmp_path, SHAPE)):
        assert len(images) == 1
        assert {item.file: item.reason.split(",")[0] for item in images.skipped} == {
            "A/pipe.png": "a named pipe",
            "A/s.png": "a socket",
            "A/zero.png": "a device",
        }
    for name in (
        "pipe",
        "pipe.npz",
        "pipe.csv",
        "pipe.zip",
        "pipe.tar.gz",
        "pipe.parquet",
        "X_a.npy",
    ):
        os.mkfifo(tmp_path / name)
        for load in (load_cohort, load_natural):
            with pytest.raises(InputError, match="is a named pipe: give a file or a folder"):
                load(tmp_path / name, SHAPE)
    for spec in ("/dev/zero", "/dev/null"):
        for load in (load_cohort, load_natural):
            with pytest.raises(InputError, match="is a device: give a file"):
                load(spec, SHAPE)


@pytest.mark.parametrize(
    "parts",
    [
        ("train", "val", "test"),
        ("Training", "Testing"),
        ("train", "valid"),
        ("seg_train", "seg_test"),
        ("TEST", "TRAIN", "chest_xray"),
        ("test",),
    ],
)
def test_case_6_training_and_test_folders_are_no_classes(
    tmp_path: Path, parts: tuple[str, ...]
) -> None:
    for part in parts:
        for name in ("NORMAL", "PNEUMONIA"):
            picture(tmp_path / part / name / "1.png")
    for classes in (None, ("NORMAL", "PNEUMONIA")):
        with pytest.raises(
            InputError, match="parts of a data set and not classes: give one of them"
        ):
            load_cohort(tmp_path, SHAPE, classes)
    assert load_cohort(tmp_path / parts[0], SHAPE).class_names == ("NORMAL", "PNEUMONIA")


def test_training_and_test_folders_in_class_folders_are_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        picture(tmp_path / "NORMAL" / part / "1.png")
    with pytest.raises(InputError, match=r"test, train in its class folders: .* manifest"):
        load_cohort(tmp_path, SHAPE)


def test_classes_may_be_called_so(tmp_path: Path) -> None:
    for name in ("Positive test", "Negative test", "attestation"):
        picture(tmp_path / "a" / name / "1.png")
    for name in ("train", "validation"):
        picture(tmp_path / "b" / name / "1.png")
    assert len(load_cohort(tmp_path / "a", SHAPE)) == 3
    assert len(load_cohort(tmp_path / "b", SHAPE, ("validation", "train"))) == 2


def test_one_class_is_not_trained_on(tmp_path: Path) -> None:
    picture(tmp_path / "chest" / "NORMAL" / "1.png")
    with pytest.raises(InputError, match="has one class, chest: give a folder"):
        train(load_cohort(tmp_path, SHAPE), tmp_path / "out")


# As the data sets publish them.
TABLES = {
    "HAM10000": (
        "lesion_id,image_id,dx,dx_type,age,sex,localization\n"
        "HAM_1,ISIC_1,bkl,histo,80.0,male,scalp\nHAM_2,ISIC_2,nv,histo,80.0,male,scalp\n",
        ("nv", "bkl"),
        [1, 0],
    ),
    "HAM10000 in capitals": (
        "lesion_id,image_id,dx\nHAM_1,ISIC_1,bkl\nHAM_2,ISIC_2,nv\n",
        ("NV", "BKL"),
        [1, 0],
    ),
    "ISIC 2018": (
        "image,MEL,NV\nISIC_1,1.0,0.0\nISIC_2,0.0,1.0\n",
        ("NV", "MEL"),
        [1, 0],
    ),
    "ISIC without a model": ("image,MEL,NV\nISIC_1,0.0,1.0\nISIC_2,1.0,0.0\n", None, [1, 0]),
    "numbers": ("file,label\nISIC_1.png,1\nISIC_2.png,0\n", ("NV", "MEL"), [1, 0]),
    "floats": ("file,label\nISIC_1.png,1.0\nISIC_2.png,0.0\n", ("NV", "MEL"), [1, 0]),
    "truths": ("file,label\nISIC_1.png,True\nISIC_2.png,False\n", ("NV", "MEL"), [1, 0]),
    "classes that are numbers": (
        "file,label\nISIC_1.png,2.0\nISIC_2.png,10.0\n",
        ("10", "2"),
        [1, 0],
    ),
    "semicolons": ("file;label\nISIC_1.png;MEL\nISIC_2.png;NV\n", ("NV", "MEL"), [1, 0]),
    "tabs": ("file\tlabel\nISIC_1.png\tMEL\nISIC_2.png\tNV\n", ("NV", "MEL"), [1, 0]),
    "other case": ("\ufeff File , LABEL\nISIC_1.png,MEL \nISIC_2.png,NV\n", ("NV", "MEL"), [1, 0]),
    "NIH": (
        "Image Index,Finding Labels,Follow-up #\nISIC_1.png,Effusion|Mass,0\nISIC_2.png,No Finding,1\n",
        ("no Effusion", "Effusion"),
        [1, 0],
    ),
    "CheXpert": (
        "Path,Sex,Effusion\nset/ISIC_1.png,Male,1.0\nset/ISIC_2.png,Male,0.0\n",
        ("no Effusion", "Effusion"),
        [1, 0],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_case_11_published_tables_are_read(tmp_path: Path, name: str) -> None:
    text, classes, expected = TABLES[name]
    for number in (1, 2):
        picture(
            tmp_path / "set" / f"images_00{number}" / "images" / f"ISIC_{number}.png", 50 * number
        )
    (tmp_path / "set" / "labels.csv").write_text(text, encoding="utf-8")
    cohort = load_cohort(tmp_path / "set" / "labels.csv", SHAPE, classes)
    assert cohort.labels.tolist() == expected
    assert levels(cohort.images) == [50, 100]


def test_case_11_names_from_the_root_of_the_disk(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    secret = picture(tmp_path / "secret.png")
    table = tmp_path / "labels.csv"
    table.write_text(f"file,label\n{tmp_path}/in/a.png,A\n")
    assert len(load_cohort(table, SHAPE, reading=Reading(root=str(tmp_path / "in")))) == 1
    for name in (secret, tmp_path / "in" / ".." / "secret.png"):
        table.write_text(f"file,label\n{name},A\n")
        with pytest.raises(InputError, match="leads out of the folder"):
            load_cohort(table, SHAPE, reading=Reading(root=str(tmp_path / "in")))


def test_a_name_that_two_files_fit_is_refused(tmp_path: Path) -> None:
    for name in ("a/x.png", "b/x.png", "c/y.png", "c/y.jpg"):
        picture(tmp_path / name)
    table = tmp_path / "labels.csv"
    for name, both in (("x.png", "a/x.png or b/x.png"), ("y", "c/y.jpg or c/y.png")):
        table.write_text(f"file,label\n{name},A\n")
        with pytest.raises(InputError, match=f"line 2: the file {name} could be {both}"):
            load_cohort(table, SHAPE)
    table.write_text("file,label\na/x.png,A\nz.png,A\n")
    with pytest.raises(InputError, match=r"line 3: the file z\.png does not exist in"):
        load_cohort(table, SHAPE)
    table.write_text("file,label\nc/y.png,A\ny.png,A\n")
    with pytest.raises(InputError, match=r"line 3: y\.png is the file c/y\.png of line 2"):
        load_cohort(table, SHAPE)


def test_a_digest_sees_the_files_that_a_table_names(tmp_path: Path) -> None:
    one, two = picture(tmp_path / "i" / "x" / "a.png"), picture(tmp_path / "i" / "b.png")
    table = tmp_path / "labels.csv"
    table.write_text("Path,Mass,Edema\na,1.0,\nb.png,-1.0,\nnone.png,,\n")
    assert manifest_files(table, Reading(root=str(tmp_path / "i"))) == [two, one]


def test_case_26_chexpert_says_what_is_uncertain(tmp_path: Path) -> None:
    rows = [("1.0", "a"), ("0.0", "b"), ("-1.0", "c"), ("", "d"), ("1.0", "e")]
    for _, name in rows:
        picture(tmp_path / f"{name}.png")
    table = tmp_path / "labels.csv"
    table.write_text("Path,Mass\n" + "".join(f"{name}.png,{value}\n" for value, name in rows))
    for reading in (Reading(), Reading(file="Path", label="Mass")):
        cohort = load_cohort(table, SHAPE, ("no Mass", "Mass"), reading=reading)
        assert cohort.labels.tolist() == [1, 0, 1]
        left_out = cohort.images.skipped
        assert len(left_out) == 2
        assert "uncertain (-1)" in left_out[0].reason
        assert "empty" in left_out[1].reason


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, 0, 1], bool),
        np.array([1, 0, 1], np.float64),
        np.array([1, 0, 1], np.float16),
        np.array([b"MEL", b"NV", b"MEL"]),
        np.array(["MEL ", "NV", "mel"]),
        np.array([[1.0], [0.0], [1.0]]),
    ],
)
def test_case_26_labels_of_any_type(tmp_path: Path, labels: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 8, 8, 3), np.uint8), labels=labels)
    assert load_cohort(tmp_path / "a.npz", SHAPE, ("NV", "MEL")).labels.tolist() == [1, 0, 1]
    np.savez(tmp_path / "b.npz", images=np.zeros((3, 8, 8, 3), np.uint8), labels=[0.5, 1, 0])
    with pytest.raises(InputError, match="float64 that are no whole numbers"):
        load_cohort(tmp_path / "b.npz", SHAPE, ("NV", "MEL"))


def test_numbers_of_classes_that_are_numbers_are_names(tmp_path: Path) -> None:
    """Class 2 of a model that sorts its names as texts is not its third."""
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 8, 8, 3), np.uint8), labels=[0, 2, 10])
    assert load_cohort(tmp_path / "a.npz", SHAPE, ("0", "10", "2")).labels.tolist() == [0, 2, 1]


def test_case_19_names_in_another_unicode_form_are_the_same(tmp_path: Path) -> None:
    names = ("Ménière", "MEL", "gut art.")
    for level, name in enumerate(names):
        picture(tmp_path / "a" / f"{unicodedata.normalize('NFD', name)} " / "1.png", level)
    cohort = load_cohort(tmp_path / "a", SHAPE, names)
    assert levels(cohort.images) == cohort.labels.tolist()
    picture(tmp_path / "a" / "Gut Art" / "1.png")
    with pytest.raises(InputError, match=r"has the class Gut Art, .* perhaps you meant gut art"):
        load_cohort(tmp_path / "a", SHAPE, names)


def test_names_that_differ_in_case_only_are_not_two_classes(tmp_path: Path) -> None:
    for name in ("Mel", "mel"):
        picture(tmp_path / name / "1.png")
    with pytest.raises(InputError, match="has the classes Mel and mel, which differ in upper"):
        load_cohort(tmp_path, SHAPE)
    assert load_cohort(tmp_path, SHAPE, ("mel", "Mel")).labels.tolist() == [1, 0]
    with pytest.raises(InputError, match="has the class MEL, which the model does not know"):
        load_cohort(picture(tmp_path / "c" / "MEL" / "1.png").parent.parent, SHAPE, ("mel", "Mel"))


class Brightness(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        level = x.mean((1, 2, 3))
        return torch.stack([-level, level - 1], 1)


def test_first_time_user_4_a_medical_image_is_no_photograph(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("dark", "light"):
        for number in range(3):
            (tmp_path / "c" / name).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "c" / name / f"{number}.png")
    cohort = load_cohort(tmp_path / "c", SHAPE)
    classifier = Classifier(
        Brightness(), shape=SHAPE, class_names=cohort.class_names, mean=(0.0,) * 3, std=(1.0,) * 3
    )
    # Another container, another format: the pixels are the same.
    np.save(tmp_path / "p.npy", cohort.images.pixels[2:4].numpy())
    photographs = load_natural(tmp_path / "p.npy", SHAPE)
    drawn = load_natural("builtin:noise", SHAPE, n=4)
    plan = Plan(zeta=0.1)
    for given, training, message in (
        (photographs, None, "2 images of .*p.npy are in .*c as well"),
        (drawn, drawn, "4 images of builtin:noise are in builtin:noise as well"),
    ):
        with pytest.raises(InputError, match=message):
            run(plan, classifier, given, cohort, tmp_path / "out", training=training)
    assert not (tmp_path / "out").exists()


def test_what_is_learned_on_has_an_origin(tmp_path: Path) -> None:
    crops = load_natural("builtin:photos", SHAPE, n=30)
    assert (crops.source.kind, crops.source.n_distinct) == ("crops", 11)
    assert crops.subset(torch.arange(4)).source.n_distinct == 4
    drawings = load_natural("builtin:dead-leaves", SHAPE, n=3)
    assert (drawings.source.kind, drawings.source.n_distinct) == ("drawings", 3)
    for number in range(5):
        picture(tmp_path / f"{number}.png", number // 2)
    photographs = load_natural(tmp_path, SHAPE)
    assert (photographs.source.kind, photographs.source.n_distinct) == ("photographs", 3)


def resident(kind: str) -> int:
    """Bytes that this process holds (VmRSS), or has held at most (VmHWM)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{kind}:")[1].split()[0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_memory_a_cohort_takes_its_pixels(tmp_path: Path, kind: str) -> None:
    """Of 300 images, 56 MiB: the peak of the process rises by no more than a fifth above it."""
    n, large = 300, tmp_path / "large"
    if kind == "folder":
        Image.new("RGB", (256, 256), (1, 2, 3)).save(picture(large / "A" / "0.png"))
        for number in range(1, n):
            os.link(large / "A" / "0.png", large / "A" / f"{number}.png")
    else:
        large = tmp_path / "large.npz"
        np.savez(large, images=np.ones((n, 256, 256, 3), np.uint8), labels=np.zeros(n, int))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is the present
    before = resident("VmRSS")
    images = load_cohort(large, (3, 256, 256)).images
    assert (resident("VmHWM") - before) / images.stored.numel() < 1.2


def test_the_number_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_walk, "MOST_FILES", 5)
    for number in range(6):
        picture(tmp_path / "A" / f"{number}.png")
    with pytest.raises(InputError, match="has more than 5 files: give a part of them"):
        load_cohort(tmp_path, SHAPE)


def test_links_in_archives_are_named(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.png")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(image, "A/a.png")
        archive.add(image, "B/a.png")
        for name, kind in (("A/b.png", tarfile.SYMTYPE), ("A/c.png", tarfile.LNKTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "A/a.png"
            archive.addfile(link)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.write(image, "A/a.png")
        packed.write(image, "B/a.png")
        for name in ("A/b.png", "A/c.png"):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o120777 << 16
            packed.writestr(entry, "a.png")
    for name in ("a.tar", "a.zip"):
        images = load_cohort(tmp_path / name, SHAPE).images
        assert [(s.file, s.reason) for s in images.skipped] == [
            ("A/b.png", "a link"),
            ("A/c.png", "a link"),
        ]


def test_unclear_26_hf_reads_inside_its_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is opened by an address")

    for name in ("a", "b"):
        for number in range(2):
            picture(tmp_path / "set" / "test" / name / f"{number}.png", 100)
            picture(tmp_path / "other" / name / f"{number}.png", 200)
    (tmp_path / "set" / "test" / "a" / "link.png").symlink_to(tmp_path / "other" / "a" / "0.png")
    (tmp_path / "set" / "test" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "set" / "set.py").write_text("raise SystemExit(9)\n")
    monkeypatch.setattr(fsspec, "open", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    for files in ("../other/**", "http://127.0.0.1:9/x.zip", "zip://*::http://127.0.0.1:9/x.zip"):
        named = f"data_files:\n  - split: test\n    path: '{files}'"
        text = f"---\nconfigs:\n- config_name: default\n  {named}\n---\n"
        (tmp_path / "set" / "README.md").write_text(text)
        for images in (
            load_cohort(f"hf:{tmp_path}/set:test", SHAPE).images,
            load_natural(f"hf:{tmp_path}/set:test", SHAPE, cache=False),
        ):
            assert levels(images) == [100] * 4
            assert {item.file for item in images.skipped} == {"test/a/link.png", "test/linked"}
    with pytest.raises(InputError, match="is neither a folder nor a name on the hub"):
        load_cohort(f"hf:{tmp_path}/gone:test", SHAPE)


def test_unclear_26_rows_name_no_other_files(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    data = picture(tmp_path / "good.png", 40).read_bytes()
    paths = [
        *(
            str(tmp_path / "good.png"),
            "http://127.0.0.1:9/a.png",
            "../good.png",
            "file:///etc/passwd",
        ),
        *(
            "zip://a.png::http://127.0.0.1:9/a.zip",
            f"simplecache::{tmp_path}/good.png",
            "/dev/zero",
        ),
        f"http://127.0.0.1:9/::{tmp_path}/set/test.parquet",
    ]
    rows = [{"bytes": data, "path": None}, *({"bytes": None, "path": path} for path in paths)]
    (tmp_path / "set").mkdir()
    parquet.write_table(
        pa.table({"image": rows, "label": ["a"] * len(rows)}), tmp_path / "set" / "test.parquet"
    )
    images = load_cohort(f"hf:{tmp_path}/set:test", SHAPE).images
    assert levels(images) == [40]
    assert [item.reason for item in images.skipped] == ["the row holds no image"] * len(paths)
