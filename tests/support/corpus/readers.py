"""Gives every file of a corpus to its readers, in a process of its own.

``python -m corpus.readers ROOT`` writes one line of JSON for each file: what came of it, what was said,
the seconds it took, and the peak of memory by then.
"""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import timm  # noqa: F401
import torch
import torch._dynamo
import transformers.models.vit.modeling_vit  # noqa: F401
from torch import nn

from straylight.attacks.ball import Ball
from straylight.attacks.method import Method
from straylight.audit.unfinished import read_unfinished
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.core.errors import InputError
from straylight.core.tensor_files import read_delta
from straylight.data.files.decode import decode_image
from straylight.data.files.dicom import DicomView
from straylight.data.images import ImageSet
from straylight.data.photographs.cache import VARIABLE
from straylight.data.photographs.load import load_natural
from straylight.evaluation.preflight.run import preflight, stop_on_errors
from straylight.models.card import load_classifier
from straylight.models.classifier import Classifier
from straylight.models.load import load_model
from straylight.models.options import ModelOptions
from straylight.models.weights import load_weights
from straylight.report.render import write_report
from straylight.study.config.grid import Grid
from straylight.study.config.toml import TomlDocument
from straylight.training.checkpoint import read_checkpoint

SHAPE, NAMES = (3, 8, 8), ("dark", "light")
SECONDS, MEMORY = 5, 2**30
Said = list[str]  # the reasons why files were skipped


def picture(path: Path) -> Said:
    decode_image(path.read_bytes(), SHAPE)
    decode_image(path.read_bytes(), (1, 8, 8), DicomView(frame=0))
    return []


def scan(path: Path) -> Said:
    decode_image(path.read_bytes(), SHAPE, DicomView(frame=0))
    decode_image(path.read_bytes(), (1, 8, 8), DicomView(window="40/400", frame=1))
    return []


def arrays(path: Path) -> Said:
    return all_of(
        lambda: load_cohort(path, SHAPE, NAMES),
        lambda: load_cohort(path, SHAPE),
        lambda: load_cohort(f"{path}:test", SHAPE, NAMES),
        needed=1,
    )


def photographs(path: Path) -> Said:
    load_natural(path, SHAPE)
    pair = path.parent.parent / "pair"
    pair.mkdir(exist_ok=True)
    shutil.copy(path, pair / "X_a.npy")
    shutil.copy(path, pair / "y_a.npy")
    return all_of(lambda: load_cohort(pair / "X_a.npy", SHAPE, NAMES), needed=0)


def delta(path: Path) -> Said:
    read_delta(path)
    return []


def table(path: Path) -> Said:
    reading = Reading(root=str(path.parent.parent / "good"))
    first = load_cohort(path, SHAPE, NAMES, reading=reading)
    load_cohort(path, SHAPE, reading=reading)
    return [item.reason for item in first.images.skipped]


def archive(path: Path) -> Said:
    images = load_natural(path, SHAPE)
    found = load_cohort(path, SHAPE)
    return [f"{item.file}: {item.reason}" for item in (*images.skipped, *found.images.skipped)]


def shard(path: Path) -> Said:
    """With a folder of good files beside it."""
    root = path.parent.parent
    images = load_natural(f"{root}/{{good,{path.parent.name}/{path.name}}}", SHAPE)
    return [f"{item.file}: {item.reason}" for item in images.skipped]


def findings(path: Path) -> Said:
    reading = Reading(root=str(path.parent.parent / "good"))
    found = load_cohort(path, SHAPE, ("no finding", "dark", "light"), reading=reading)
    one = lambda: load_cohort(path, SHAPE, ("no dark", "dark"), reading=reading)  # noqa: E731
    said = all_of(one, lambda: load_cohort(path, SHAPE, NAMES, reading=reading), needed=0)
    return said + [item.reason for item in found.images.skipped]


def cached(path: Path) -> Said:
    """Put it in the place of a finished cache's own file."""
    good = path.parent.parent / "good"
    expected = load_natural(good, SHAPE, cache=False)
    with TemporaryDirectory() as folder, patch.dict(os.environ, {VARIABLE: folder}):
        load_natural(good, SHAPE)
        places = {"pixels": "*/pixels.npy", "info": "*/info.json", "known": "known/*"}
        (place,) = Path(folder).glob(places[re.split("[-.]", path.name)[0]])
        shutil.copy(path, place)
        for _ in ("made anew", "found"):
            images = load_natural(good, SHAPE)
            assert (images.sha256, images.skipped) == (expected.sha256, ())
        assert place.read_bytes() != path.read_bytes()
    return []


def checkpoint(path: Path) -> Said:
    read_checkpoint(path).check_fits(nn.Sequential(nn.Linear(6, 2)), path)
    return []


def unfinished_audit(path: Path) -> Said:
    read_unfinished(path)
    return []


def study(path: Path) -> Said:
    Grid(TomlDocument(path))
    return []


def weights(path: Path) -> Said:
    load_weights(nn.Sequential(nn.Linear(6, 2)), path)
    return []


def network(path: Path) -> Said:
    options = ModelOptions(classes=NAMES, size=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    load_model(path, options)
    return []


def program(path: Path) -> Said:
    options = ModelOptions(classes=NAMES, size=8, mean=(0.0,) * 3, std=(1.0,) * 3, head="logits")
    load_model(path, options)
    return []


def config(path: Path) -> Said:
    """As the configuration of a folder; the first part of its name says which weights lie beside it."""
    with TemporaryDirectory(dir=path.parent) as folder:
        weights = path.parent.parent / "good-model" / "model.safetensors"
        shutil.copy(weights, Path(folder) / "model.safetensors")
        shutil.copy(path, Path(folder) / "config.json")
        options = ModelOptions(size=8, mean=(0.0,) * 3, std=(1.0,) * 3, head="logits")
        try:
            load_model(folder, options)
        except InputError as error:
            raise InputError(str(error).replace(folder, str(path))) from error
    return []


def own(path: Path) -> Said:
    """Load the network of a module's function, and look at it on the good images."""
    options = ModelOptions(classes=NAMES, size=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    with contextlib.chdir(path.parent):
        classifier = load_model(f"python:{path.stem}:make", options)
    cohort = load_cohort(path.parent.parent / "good", SHAPE, NAMES)
    stop_on_errors(preflight(classifier, cohort))
    return []


def card(path: Path) -> Said:
    folder = path.parent.parent / "model"
    shutil.copy(path, folder / "model.json")
    load_classifier(folder)
    return []


def audit(path: Path) -> Said:
    folder = path.parent.parent / "audit"
    shutil.copy(path, folder / "audit.json")
    write_report(folder)
    return []


def attack(path: Path) -> Said:
    """Import it, make it, and run it."""
    method = Method.parse(f"python:attacks.{path.stem}:Own")
    method.to_json()
    method.planned(4, 2)
    images = ImageSet(torch.full((4, *SHAPE), 9, dtype=torch.uint8), "grey")
    classifier = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), shape=SHAPE, class_names=NAMES
    )
    generator = torch.Generator().manual_seed(0)
    ball = Ball("l2", 0.5)
    made = method.snapshots(classifier, images, ball, target=None, generator=generator)
    assert all(ball.size(snapshot.delta) <= 0.5001 for snapshot in made)
    return []


def all_of(*readers: Callable[[], object], needed: int) -> Said:
    """Call readers; those beyond the first `needed` may refuse."""
    said = []
    for number, read in enumerate(readers):
        try:
            read()
        except InputError as error:
            if number < needed:
                raise
            said.append(str(error))
    return said


READERS: dict[str, tuple[Callable[[Path], Said], type[ValueError]]] = {
    "pictures": (picture, ValueError),
    "scans": (scan, ValueError),
    "arrays": (arrays, InputError),
    "photographs": (photographs, InputError),
    "deltas": (delta, InputError),
    "tables": (table, InputError),
    "archives": (archive, InputError),
    "shards": (shard, InputError),
    "findings": (findings, InputError),
    "caches": (cached, InputError),
    "checkpoints": (checkpoint, InputError),
    "ledgers": (unfinished_audit, InputError),
    "studies": (study, InputError),
    "weights": (weights, InputError),
    "networks": (network, InputError),
    "outputs": (own, InputError),
    "cards": (card, InputError),
    "audits": (audit, InputError),
    "programs": (program, InputError),
    "configs": (config, InputError),
    "attacks": (attack, InputError),
}


def give(path: Path) -> dict[str, object]:
    """Give one file to its readers."""
    read, refusal = READERS[path.parent.name]
    said: list[str] = []
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            said, outcome = read(path), "read"
        except refusal as error:
            said, outcome = [str(error)], "refused"
            if type(error) is not refusal and refusal is InputError:
                outcome = "crashed"
        except Exception:
            said, outcome = [traceback.format_exc()], "crashed"
    return {
        "path": f"{path.parent.name}/{path.name}",
        "outcome": outcome,
        "said": said,
        "warned": [str(item.message) for item in warned],
        "seconds": time.perf_counter() - start,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main(root: Path) -> None:
    torch.set_num_threads(1)
    sys.dont_write_bytecode = True  # of modules in the corpus
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for family in READERS:
        for path in sorted((root / family).iterdir()):
            # Either ends the process: so much processor time, or a wait for something.
            signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)
            signal.alarm(20 * SECONDS)
            sys.stdout.write(json.dumps(give(path)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
