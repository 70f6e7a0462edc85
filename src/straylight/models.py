"""Classifiers by a word: the folder that was trained here, or what users bring."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from straylight.classifier import Classifier
from straylight.errors import InputError, reason_of
from straylight.heads import Head, kind_alone, kind_of
from straylight.images import RGB
from straylight.multilabel import ALL, choose_finding
from straylight.readers import Brought, ModelOptions, read
from straylight.tensors import Images, Shape

__all__ = ["ModelOptions", "load_model"]

ALL_MEANS = "the strongest of all that are more likely than not, or 'no finding'"
NORMALISATION = (
    "--mean and --std (what it subtracts from images in [0, 1] and divides by: 0 and 1 if it takes them "
    "as they are)"
)


def load_model(spec: str | Path, options: ModelOptions | None = None) -> Classifier:
    """Load a classifier.

    Args:
        spec: A folder of `straylight finetune`, of `transformers` or of timm's hub; ``timm:NAME``,
            ``torchvision:NAME`` or ``keras:NAME`` with `weights`; ``hf_hub:ORG/NAME``; ``FILE.onnx``,
            ``FILE.pt2``, ``FILE.pt`` (TorchScript) or ``FILE.keras``; or ``python:MODULE:FUNCTION``, a
            function without arguments that returns a module or a `Classifier` (it is run: give only
            your own).
        options: What that does not say.

    Raises:
        InputError: If it is none of these, cannot be read without running its code, something is not
            said, or its outputs are no classifier's.
    """
    options, text = options or ModelOptions(), str(spec)
    brought = read(text, options)
    if isinstance(brought, Classifier):
        return unchanged(brought, options, text)
    return wrap(brought, options, text)


def unchanged(classifier: Classifier, options: ModelOptions, spec: str) -> Classifier:
    """Return a classifier that says all of itself, having seen that nothing else was said of it."""
    if options != ModelOptions():
        raise InputError(
            f"{spec} says its classes, size and normalisation itself: leave the options away."
        )
    return classifier


def wrap(brought: Brought, options: ModelOptions, spec: str) -> Classifier:
    """Make a classifier of a network: find out its head, and see that it takes its images."""
    size = options.size or brought.size
    mean, std = options.mean or brought.mean, options.std or brought.std
    classes = options.classes or brought.classes
    require(spec, classes, size, mean, std)
    shape: Shape = (1 if options.grey or len(mean) == 1 else RGB, size, size)

    make = partial(Classifier, shape=shape, mean=mean, std=std, spec=spec)
    try:
        with torch.no_grad():
            outputs = make(Head(brought.network, "logits"), class_names=())(probes(shape))
    except InputError:
        raise
    except Exception as error:
        # Networks of other libraries and of users raise what they like.
        raise InputError(
            f"{spec} cannot take images of shape {shape}: {reason_of(error)}."
        ) from error
    named = replace(options, classes=classes)
    head, names = head_of(brought.network, outputs, named, spec)
    card: dict[str, Any] = {"head": head.kind, "mean": mean, "std": std}
    if options.finding:
        card["finding"] = options.finding if options.finding != ALL else ALL_MEANS
    if brought.notes:
        card["notes"] = list(brought.notes)
    if brought.architecture:
        card |= {"architecture": brought.architecture, "arguments": brought.arguments}
    return make(head, class_names=names, card=card)


def require(
    spec: str,
    classes: tuple[str, ...],
    size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> None:
    """See that all is said of a network's images and outputs, by its file or by the user."""
    said = {"--classes NAME NAME ...": classes, "--size PIXELS": size, NORMALISATION: mean and std}
    missing = [option for option, value in said.items() if not value]
    if missing:
        raise InputError(f"{spec} needs {', '.join(missing)}.")
    if len(mean) != len(std) or len(mean) not in (1, RGB) or not all(s > 0 for s in std):
        raise InputError(
            "--mean and --std need one number each for every channel, 1 or 3, with std > 0."
        )


def head_of(
    network: nn.Module, outputs: Tensor, options: ModelOptions, spec: str
) -> tuple[Head, tuple[str, ...]]:
    """Return a network that gives logits, and its classes, by its `outputs` on probes."""
    names, n = options.classes, outputs.shape[1]
    if options.finding:
        finding, names = choose_finding(options.finding, names, n, spec)
        alone = outputs.reshape(-1, 1)
        kind = kind_of(alone) if options.head == "auto" else kind_alone(options.head)
        return Head(network, kind, finding), names
    kind = kind_of(outputs) if options.head == "auto" else options.head
    if len(names) != max(2, outputs.shape[1]):
        raise InputError(
            f"{spec} has {n} outputs, but {len(names)} classes are named: {', '.join(names)}."
        )
    return Head(network, kind), names


def probes(shape: Shape) -> Images:
    """Make varied images: black, white, and noise of six brightnesses."""
    noise = torch.rand(6, *shape, generator=torch.Generator().manual_seed(0))
    levels = torch.linspace(0.1, 0.9, 6).view(-1, 1, 1, 1)
    return torch.cat(
        [torch.zeros(1, *shape), torch.ones(1, *shape), (levels + noise - 0.5).clamp(0, 1)]
    )
