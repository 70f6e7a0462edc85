"""The embedded demo: the paper's effect and its ablation, offline, on synthetic images.

A small backbone that was trained on photographs comes with the package (`backbone.json` records
how). It is fine-tuned on phantoms of skin lesions and attacked with one perturbation, made from
scikit-image's photographs adapted to its own statistics. The same network trained from random
initialisation is attacked for comparison.
"""

import json
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import torch

from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.audit.files import clear_audit, remove_file
from straylight.audit.inputs import load_inputs
from straylight.audit.plan import Plan
from straylight.audit.results import Audit
from straylight.audit.run import run_audit
from straylight.cohort.cohort import Cohort
from straylight.cohort.identity import digest_labels
from straylight.core.conventions import Shape
from straylight.core.errors import InputError
from straylight.core.files import make_folder, make_inner_folder
from straylight.core.progress import Silent, Tracker
from straylight.data.images import ImageSet
from straylight.data.photographs.builtin import PHOTOS
from straylight.demo.phantoms import CLASS_NAMES, draw_phantoms
from straylight.models.card import load_classifier
from straylight.models.classifier import Classifier
from straylight.models.files import CARD_FILE, WEIGHTS
from straylight.report.render import write_report
from straylight.training.epochs import CHECKPOINT, digest_weights_file
from straylight.training.finetune import finetune
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
    """Train, audit and report both variants; resume an interrupted demo, and keep a finished one.

    Returns:
        The audit of the fine-tuned classifier (``transfer``) and of the one from random
        initialisation (``scratch``), as written to the folders of these names in `out`.

    Raises:
        InputError: If `out` cannot be used, or holds a demo of another seed or of other code and `force`
            is not set.
    """
    tracker = tracker or Silent()
    make_folder(out)
    for name in make_recipes(seed):
        make_inner_folder(out / name)
        if force:
            clear_audit(out / name)
    cohort = draw_phantom_cohort(N_TEST, seed=TEST_SEED + seed)
    audits = {}
    plans = {"transfer": replace(PLAN, seed=seed), "scratch": replace(PLAN, targets=(), seed=seed)}
    for name, recipe in make_recipes(seed).items():
        classifier = _train_or_load(recipe, out / name / "model", tracker, force=force)
        inputs = load_inputs(
            classifier, natural=PHOTOS, cohort=cohort, n_photographs=N_PHOTOGRAPHS, seed=seed
        )
        audits[name] = run_audit(
            plans[name],
            inputs,
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


def make_recipes(seed: int) -> dict[str, Recipe]:
    """Return the recipes of both variants, which differ in their initial weights only."""
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


def _train_or_load(recipe: Recipe, folder: Path, tracker: Tracker, *, force: bool) -> Classifier:
    """Train a classifier, or load the one that an earlier run of the demo has trained.

    Raises:
        InputError: If the model in `folder` is from a demo with another seed, data or recipe.
    """
    if force and not folder.is_symlink():
        for name in (CARD_FILE, WEIGHTS, CHECKPOINT):
            remove_file(folder / name)
    make_inner_folder(folder)
    if not (folder / CARD_FILE).exists() or (folder / CHECKPOINT).exists():
        return finetune(
            draw_phantom_cohort(N_TRAIN, seed=TRAIN_SEED + recipe.seed), recipe, folder, tracker
        )
    classifier = load_classifier(folder)
    training = classifier.card["training"]
    if training.get("seed") != recipe.seed:
        raise InputError(
            f"{folder} holds a model trained with another seed: use --force, or another folder (--out)."
        )
    wanted = json.loads(json.dumps(asdict(replace(recipe, weights=Path(recipe.weights).name))))
    data = draw_phantom_cohort(N_TRAIN, seed=TRAIN_SEED + recipe.seed)
    wanted |= {
        "data_sha256": data.images.sha256,
        "labels_sha256": digest_labels(data),
        "weights_sha256": digest_weights_file(recipe.weights),
    }
    other = any(training.get(key) != value for key, value in wanted.items())
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
def draw_phantom_cohort(n: int, *, seed: int) -> Cohort:
    """Draw labelled phantoms as a cohort."""
    pixels, labels = draw_phantoms(n, size=SIZE, seed=seed)
    images = ImageSet(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), "builtin:phantoms")
    return Cohort(images, torch.from_numpy(labels), CLASS_NAMES)
