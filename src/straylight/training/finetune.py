"""Transfer learning: train a medical classifier from a pretrained or random backbone."""

from pathlib import Path

import torch
from torch import nn

from straylight.cohort.cohort import Cohort
from straylight.core.checks import check_folder, check_type
from straylight.core.errors import InputError, join_names, quote_text, reason_of
from straylight.core.files import make_folder, remove_partial_files
from straylight.core.progress import Silent, Tracker, with_progress
from straylight.models.backbones import build_network, head_prefixes
from straylight.models.classifier import Classifier
from straylight.models.files import CARD_FILE
from straylight.models.weights import load_weights
from straylight.training.epochs import CHECKPOINT, Training
from straylight.training.recipe import PRETRAINED, RANDOM, Recipe
from straylight.training.sampling import split_train_validation

FEWEST_CLASSES, MOST_NAMED = 2, 20
LINEAR = 2  # dimensions of a linear layer's weight


@with_progress
def finetune(
    data: Cohort, recipe: Recipe, out: Path | str, tracker: Tracker | None = None
) -> Classifier:
    """Train a classifier, and write the best epoch by validation accuracy to `out`.

    The validation part is held out from `data`. (Hirano, Minagi & Takemoto 2021 and Minagi et al. 2022
    kept the epoch that did best on their test images, which flatters the accuracy there.) Interrupted
    training resumes after its last finished epoch, with the same result.

    Args:
        data: Labelled training images, without any test image.
        recipe: The settings.
        out: Folder for `model.safetensors` and `model.json`.
        tracker: Receives progress updates. None: bars on a terminal, else lines; ``Silent()``: nothing.

    Raises:
        InputError: If an argument is of another type, a class has fewer than two images, the weights do
            not fit, the network cannot take images of this size, the training diverges, or `out` holds
            a finished model or a checkpoint of other settings.
    """
    check_type(data, "data", Cohort, "load_cohort(...)")
    check_type(recipe, "recipe", Recipe, "Recipe(backbone='mobilenetv2_100')")
    check_type(tracker, "tracker", Tracker | None, "Silent()")
    out, tracker = check_folder(out), tracker or Silent()
    # With a checkpoint it was killed after the card was written, and resumes like any other.
    if (out / CARD_FILE).exists() and not (out / CHECKPOINT).exists():
        raise InputError(
            f"{out} already holds a model: give another folder (--out), or delete it first."
        )
    _report_classes(data, tracker)
    train, validation = split_train_validation(data.labels, recipe.validation, recipe.seed)
    torch.manual_seed(recipe.seed)
    network = initial_network(recipe, len(data.class_names)).to(memory_format=torch.channels_last)
    run = Training(data, recipe, train=train, validation=validation, network=network, out=out)
    _check_image_size(run.classifier(), recipe.backbone)
    make_folder(out)
    remove_partial_files(out)
    run.resume()
    tracker.start(f"training {recipe.backbone}", recipe.epochs * run.steps_per_epoch)
    tracker.advance(run.epoch * run.steps_per_epoch)
    while not run.done:
        for loss in run.train_epoch():
            tracker.advance(1, f"epoch {run.epoch + 1}/{recipe.epochs}, loss {loss:.3f}")
        run.finish_epoch()
    return run.save()


def _report_classes(data: Cohort, tracker: Tracker) -> None:
    """Report the classes and how many images each has, before the training starts.

    Raises:
        InputError: If there is only one class.
    """
    counts = data.counts()
    if len(counts) < FEWEST_CLASSES:
        raise InputError(
            f"{data.images.spec} has one class, {join_names(counts)}: give a folder or labels with two."
        )
    tracker.say(
        f"{len(data):,} images of {len(counts):,} classes: "
        + join_names((f"{quote_text(name, 30)} {n:,}" for name, n in counts.items()), MOST_NAMED)
    )


def _check_image_size(classifier: Classifier, backbone: str) -> None:
    """Raise if the network cannot take images of the classifier's shape: some need a certain size."""
    try:
        classifier.predict(torch.zeros(1, *classifier.shape))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{backbone} cannot take images of {classifier.shape[1]} x {classifier.shape[2]} pixels "
            f"({reason_of(error.__cause__ or error)}): give another size (--size)."
        ) from error


def initial_network(recipe: Recipe, n_classes: int) -> nn.Module:
    """Build the backbone, with the weights of the recipe.

    On transferred features a linear head starts at zero: a random one would begin with large errors,
    whose gradients damage the features. Any other head (SqueezeNet's is a convolution before a rectifier,
    which has no gradient at zero) starts as its library initialises it.
    """
    pretrained = recipe.weights == PRETRAINED
    network = build_network(recipe.backbone, recipe.backbone_args, n_classes, pretrained=pretrained)
    if recipe.weights == RANDOM:
        return network
    if not pretrained:
        load_weights(network, Path(recipe.weights), new_head=True)
    head = [p for name, p in network.named_parameters() if name.startswith(head_prefixes(network))]
    if all(parameter.ndim <= LINEAR for parameter in head):
        for parameter in head:
            nn.init.zeros_(parameter)
    return network


def public_network(classifier: Classifier, weights: str) -> Classifier:
    """Build the public network that a classifier was fine-tuned from, with its shape and normalisation.

    Args:
        classifier: The classifier, loaded from a folder, so that its card names the architecture.
        weights: A safetensors file, or ``pretrained``.

    Raises:
        InputError: If the weights do not fit, or the card does not name the architecture.
    """
    if "architecture" not in classifier.card:
        raise InputError(
            f"{classifier.spec} does not name the architecture that its public network could be built "
            "with: attacks of T2 need a model of timm or torchvision."
        )
    recipe = Recipe(
        backbone=classifier.card["architecture"],
        backbone_args=classifier.card["arguments"],
        weights=weights,
    )
    return Classifier(
        initial_network(recipe, len(classifier.class_names)),
        shape=classifier.shape,
        class_names=classifier.class_names,
        mean=classifier.card["mean"],
        std=classifier.card["std"],
        spec=weights,
    )
