"""Folders of tiny images, archives and tables, and what is read from them."""

import io
from pathlib import Path

from PIL import Image

from straylight.cohort.cohort import Cohort
from straylight.cohort.load import load_cohort
from straylight.data.images import ImageSet
from straylight.training.finetune import finetune
from straylight.training.recipe import Recipe

TINY_SHAPE = (3, 8, 8)
Files = dict[str, bytes]


def write_picture(path: Path, level: int = 90, form: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (level, level, level)).save(path, form)
    return path


def read_levels(images: ImageSet) -> list[int]:
    return [int(level) for level in images.pixels[:, 0, 0, 0]]


class RecordingTracker:
    """A tracker that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def start(self, title: str, total: int) -> None: ...

    def advance(self, units: int, note: str = "") -> None: ...

    def say(self, line: str) -> None:
        self.lines.append(line)


def train_tiny(data: Cohort, out: Path) -> list[str]:
    heard = RecordingTracker()
    recipe = Recipe(backbone="test_resnet", weights="none", epochs=1, batch_size=4, validation=0.5)
    finetune(data, recipe, out, heard)
    return heard.lines


def encode_grey_png(level: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (level, level, level)).save(stream, "PNG")
    return stream.getvalue()


def write_files(root: Path, files: Files) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def load_table(root: Path, text: str, name: str = "t.csv") -> Cohort:
    write_files(
        root, {"a.png": encode_grey_png(10), "b.png": encode_grey_png(20), name: text.encode()}
    )
    return load_cohort(root / name, TINY_SHAPE)
