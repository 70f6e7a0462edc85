"""Transfer learning: a medical classifier from a pre-trained (or random) timm backbone."""

from pathlib import Path

import torch
from torch import nn

from straylight.classifier import Classifier
from straylight.cohort import Cohort
from straylight.errors import InputError
from straylight.progress import Silent, Tracker
from straylight.recipe import PRETRAINED, RANDOM, Recipe, split
from straylight.training import Training
from straylight.weights import build_network, head_prefixes, load_weights


def finetune(data: Cohort, recipe: Recipe, out: Path, tracker: Tracker | None = None) -> Classifier:
    """Train, keep the best epoch on the validation part, and write the classifier to `out`.

    Interrupted training goes on after its last finished epoch, to the same result.

    Args:
        data: Labelled training images; test images have no business here.
        recipe: The settings.
        out: Folder for `model.safetensors` and `model.json`.
        tracker: Is told the progress.

    Raises:
        InputError: If a class has fewer than two images, the weights do not fit, or `out` holds a
            finished model or a checkpoint of other settings.
    """
    tracker = tracker or Silent()
    if (out / "model.json").exists():
        raise InputError(f"{out} already holds a model: give another folder, or delete it first.")
    train, validation = split(data.labels, recipe.validation, recipe.seed)
    torch.manual_seed(recipe.seed)
    network = initial_network(recipe, len(data.class_names)).to(memory_format=torch.channels_last)
    run = Training(data, recipe, train=train, validation=validation, network=network, out=out)
    run.resume()
    tracker.start(f"training {recipe.backbone}", recipe.epochs * run.steps_per_epoch)
    tracker.advance(run.epoch * run.steps_per_epoch)
    while run.epoch < recipe.epochs:
        for loss in run.train_epoch():
            tracker.advance(1, f"epoch {run.epoch + 1}/{recipe.epochs}, loss {loss:.3f}")
        run.finish_epoch()
    return run.save()


def initial_network(recipe: Recipe, n_classes: int) -> nn.Module:
    """Build the backbone, filled as the recipe says.

    On transferred features the new head starts at zero: a random one would begin with large errors,
    whose gradients spoil the features.
    """
    if recipe.weights == RANDOM:
        return build_network(recipe.backbone, recipe.backbone_args, n_classes)
    if recipe.weights == PRETRAINED:
        network = pretrained_network(recipe, n_classes)
    else:
        network = build_network(recipe.backbone, recipe.backbone_args, n_classes)
        load_weights(network, Path(recipe.weights), new_head=True)
    for name, parameter in network.named_parameters():
        if name.startswith(head_prefixes(network)):
            nn.init.zeros_(parameter)
    return network


def pretrained_network(recipe: Recipe, n_classes: int) -> nn.Module:
    """Build the backbone with the public weights that timm knows."""
    import timm  # takes seconds: only where a network is built

    try:
        network: nn.Module = timm.create_model(
            recipe.backbone, pretrained=True, num_classes=n_classes, **recipe.backbone_args
        )
    except Exception as error:
        # The hub, the network and timm each raise their own kinds.
        raise InputError(
            f"the public weights of {recipe.backbone} cannot be loaded ({type(error).__name__}): "
            "check the name and the connection, or give --weights FILE.safetensors."
        ) from error
    return network


def public_network(classifier: Classifier, weights: str) -> Classifier:
    """Build the public network that a classifier was fine-tuned from, in the classifier's own frame.

    Args:
        classifier: Loaded from a folder; its card names the architecture.
        weights: A safetensors file, or ``pretrained``.

    Raises:
        InputError: If the weights do not fit.
    """
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
