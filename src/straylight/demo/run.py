"""The embedded demo: the paper's effect and its ablation, offline, on synthetic images.

A small backbone that was trained on photographs comes with the package (`backbone.json` tells how). It
is fine-tuned on phantoms of skin lesions, attacked with one perturbation made from scikit-image's
photographs (adapted to it by its own statistics), and compared with the same network trained from random
initialisation.
"""

import json
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import torch

from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.audit.plan import Plan
from straylight.audit.results import Audit
from straylight.audit.run import run
from straylight.audit.unfinished import clear, remove
from straylight.cohort.load import Cohort
from straylight.core.errors import InputError
from straylight.core.files import make_folder, make_inner_folder
from straylight.core.progress import Silent, Tracker
from straylight.core.tensors import Shape
from straylight.data.images import ImageSet
from straylight.data.photographs.load import PHOTOS, load_natural
from straylight.demo.phantoms import CLASS_NAMES, phantoms
from straylight.models.card import CARD_FILE, WEIGHTS, load_classifier
from straylight.models.classifier import Classifier
from straylight.report.render import write_report
from straylight.training.epochs import CHECKPOINT, digest_of_weights
from straylight.training.finetune import finetune
from straylight.training.identity import digest_of_labels
from straylight.training.recipe import RANDOM, Recipe

SIZE = 64
SHAPE: Shape = (3, SIZE, SIZE)
TRAIN_SEED, TEST_SEED = 1000, 1
N_TRAIN, N_TEST, N_PHOTOGRAPHS = 2000, 600, 1000
NOTE = (
    "Synthetic images: phantoms drawn by Straylight, of nobody's skin. "
    "They show the effect, not its size on patients."
)
PLAN = Plan(
    norm="l2",
    zeta=0.03,
    methods=(Method(Gradient(steps=100), "adapted"),),
    targets=CLASS_NAMES,
)


def run_demo(
    out: Path,
    *,
    seed: int = 0,
    force: bool = False,
    command: str = "straylight demo",
    tracker: Tracker | None = None,
) -> dict[str, Audit]:
    """Fine-tune, audit and report on both variants; an interrupted demo goes on, a finished one is kept.

    Returns:
        The audit of the fine-tuned classifier (``transfer``) and of the one from random
        initialisation (``scratch``), as written to the folders of these names in `out`.

    Raises:
        InputError: If `out` cannot be used, or holds a demo of another seed or of other code and `force`
            is not set.
    """
    tracker = tracker or Silent()
    make_folder(out)
    for name in recipes(seed):
        make_inner_folder(out / name)
        if force:
            clear(out / name)
    cohort = phantom_cohort(N_TEST, seed=TEST_SEED + seed)
    photographs = load_natural(PHOTOS, SHAPE, n=N_PHOTOGRAPHS, seed=seed)
    audits = {}
    plans = {"transfer": replace(PLAN, seed=seed), "scratch": replace(PLAN, targets=(), seed=seed)}
    for name, recipe in recipes(seed).items():
        classifier = trained(recipe, out / name / "model", tracker, force=force)
        audits[name] = run(
            plans[name],
            classifier,
            photographs,
            cohort,
            out / name,
            force=force,
            show_images=True,
            note=NOTE,
            command=command,
            tracker=tracker,
            again=True,
            finish=write_report,
        )
    return audits


def recipes(seed: int) -> dict[str, Recipe]:
    """Return how the two variants are trained: alike, but for where they start."""
    card = json.loads((Path(__file__).parent / "backbone.json").read_text(encoding="utf-8"))
    transfer = Recipe(
        backbone=card["architecture"],
        backbone_args=card["arguments"],
        weights=str(Path(__file__).parent / "backbone.safetensors"),
        epochs=8,
        seed=seed,
        flips="both",
    )
    return {"transfer": transfer, "scratch": replace(transfer, weights=RANDOM)}


def trained(recipe: Recipe, folder: Path, tracker: Tracker, *, force: bool) -> Classifier:
    """Train a classifier, or load it where an interrupted demo has left it."""
    if force and not folder.is_symlink():
        for name in (CARD_FILE, WEIGHTS, CHECKPOINT):
            remove(folder / name)
    make_inner_folder(folder)
    if not (folder / CARD_FILE).exists() or (folder / CHECKPOINT).exists():
        return finetune(
            phantom_cohort(N_TRAIN, seed=TRAIN_SEED + recipe.seed), recipe, folder, tracker
        )
    classifier = load_classifier(folder)
    known = classifier.card["training"]
    if known.get("seed") != recipe.seed:
        raise InputError(
            f"{folder} holds the model of another seed: use --force, or another folder (--out)."
        )
    wanted = json.loads(json.dumps(asdict(replace(recipe, weights=Path(recipe.weights).name))))
    data = phantom_cohort(N_TRAIN, seed=TRAIN_SEED + recipe.seed)
    wanted |= {
        "data_sha256": data.images.sha256,
        "labels_sha256": digest_of_labels(data),
        "weights_sha256": digest_of_weights(recipe.weights),
    }
    other = any(known.get(key) != value for key, value in wanted.items())
    card = {
        "architecture": recipe.backbone,
        "arguments": recipe.backbone_args,
        "shape": SHAPE,
        "class_names": CLASS_NAMES,
        "mean": recipe.mean,
        "std": recipe.std,
    }
    if other or any(classifier.card[key] != value for key, value in card.items()):
        raise InputError(
            f"{folder} holds a model of another demo: use --force, or another folder (--out)."
        )
    return classifier


@cache
def phantom_cohort(n: int, *, seed: int) -> Cohort:
    """Draw labelled phantoms."""
    pixels, labels = phantoms(n, size=SIZE, seed=seed)
    images = ImageSet(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), "builtin:phantoms")
    return Cohort(images, torch.from_numpy(labels), CLASS_NAMES)
