"""Transfer learning: a medical classifier from a pre-trained (or random) backbone."""

from pathlib import Path

import torch
from torch import nn

from straylight.cohort.load import Cohort
from straylight.core.checks import check_kind, folder_of
from straylight.core.errors import InputError, listed, quoted, reason_of
from straylight.core.files import make_folder, sweep
from straylight.core.progress import Silent, Tracker, shown
from straylight.models.backbones import build_network, head_prefixes
from straylight.models.card import CARD_FILE
from straylight.models.classifier import Classifier
from straylight.models.weights import load_weights
from straylight.training.epochs import CHECKPOINT, Training
from straylight.training.recipe import PRETRAINED, RANDOM, Recipe
from straylight.training.sampling import split

FEWEST_CLASSES, MOST_NAMED = 2, 20
LINEAR = 2  # dimensions of a linear layer's weight


@shown
def finetune(
    data: Cohort, recipe: Recipe, out: Path | str, tracker: Tracker | None = None
) -> Classifier:
    """Train, keep the best epoch on the validation part, and write the classifier to `out`.

    The validation part is held out of `data`. (Hirano, Minagi & Takemoto 2021 and Minagi et al. 2022
    kept the epoch that did best on their test images, which flatters the accuracy there.) Interrupted
    training goes on after its last finished epoch, to the same result.

    Args:
        data: Labelled training images; test images have no business here.
        recipe: The settings.
        out: Folder for `model.safetensors` and `model.json`.
        tracker: Is told the progress. None: bars on a terminal, lines otherwise; ``Silent()``: nothing.

    Raises:
        InputError: If an argument is of another type, a class has fewer than two images, the weights do
            not fit, the network cannot take images of this size, the training diverges, or `out` holds
            a finished model or a checkpoint of other settings.
    """
    check_kind(data, "data", Cohort, "load_cohort(...)")
    check_kind(recipe, "recipe", Recipe, "Recipe(backbone='mobilenetv2_100')")
    check_kind(tracker, "tracker", Tracker | None, "Silent()")
    out, tracker = folder_of(out), tracker or Silent()
    # With a checkpoint it was killed after the card was written, and goes on like any other.
    if (out / CARD_FILE).exists() and not (out / CHECKPOINT).exists():
        raise InputError(
            f"{out} already holds a model: give another folder (--out), or delete it first."
        )
    announce_classes(data, tracker)
    train, validation = split(data.labels, recipe.validation, recipe.seed)
    torch.manual_seed(recipe.seed)
    network = initial_network(recipe, len(data.class_names)).to(memory_format=torch.channels_last)
    run = Training(data, recipe, train=train, validation=validation, network=network, out=out)
    check_shape(run.classifier(), recipe.backbone)
    make_folder(out)
    sweep(out)
    run.resume()
    tracker.start(f"training {recipe.backbone}", recipe.epochs * run.steps_per_epoch)
    tracker.advance(run.epoch * run.steps_per_epoch)
    while not run.done:
        for loss in run.train_epoch():
            tracker.advance(1, f"epoch {run.epoch + 1}/{recipe.epochs}, loss {loss:.3f}")
        run.finish_epoch()
    return run.save()


def announce_classes(data: Cohort, tracker: Tracker) -> None:
    """Report the classes and how many images each has, before any time is spent on them.

    Raises:
        InputError: If there is but one class.
    """
    counts = data.counts()
    if len(counts) < FEWEST_CLASSES:
        raise InputError(
            f"{data.images.spec} has one class, {listed(counts)}: give a folder or labels of two."
        )
    tracker.say(
        f"{len(data):,} images of {len(counts):,} classes: "
        + listed((f"{quoted(name, 30)} {n:,}" for name, n in counts.items()), MOST_NAMED)
    )


def check_shape(classifier: Classifier, backbone: str) -> None:
    """Check that a network takes images of the classifier's shape: some need a size, or a least one."""
    try:
        classifier.predict(torch.zeros(1, *classifier.shape))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{backbone} cannot take images of {classifier.shape[1]} x {classifier.shape[2]} pixels "
            f"({reason_of(error.__cause__ or error)}): give another size (--size)."
        ) from error


def initial_network(recipe: Recipe, n_classes: int) -> nn.Module:
    """Build the backbone, filled as the recipe says.

    On transferred features a linear head starts at zero: a random one would begin with large errors,
    whose gradients spoil the features. Any other (SqueezeNet's is a convolution before a rectifier,
    which at zero gives no gradient) starts as its library made it.
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
    """Build the public network that a classifier was fine-tuned from, in the classifier's own frame.

    Args:
        classifier: Loaded from a folder; its card names the architecture.
        weights: A safetensors file, or ``pretrained``.

    Raises:
        InputError: If the weights do not fit, or its architecture is not known by name.
    """
    if "architecture" not in classifier.card:
        raise InputError(
            f"{classifier.spec} has no architecture by name that the public network could be built by: "
            "lift and disrupt need a model of timm or torchvision."
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
