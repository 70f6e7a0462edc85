"""Classifiers by a word: the folder that was trained here, or what users bring."""

import importlib
import sys
from dataclasses import dataclass
from functools import partial
from os.path import isdir, isfile
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from straylight.backbones import TORCHVISION, build_network
from straylight.classifier import Classifier
from straylight.errors import InputError, reason_of
from straylight.heads import Head, Kind, kind_alone, kind_of
from straylight.images import RGB
from straylight.modelcard import load_classifier
from straylight.multilabel import ALL, choose_finding
from straylight.tensors import Images, Shape
from straylight.weights import load_weights

TIMM, PYTHON, ONNX = "timm:", "python:", ".onnx"
PICKLED = {".pt", ".pth", ".pt2", ".bin", ".ckpt", ".pkl", ".pickle"}
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ALL_MEANS = "the strongest of all that are more likely than not, or 'no finding'"
KINDS = (
    "a folder of 'straylight finetune', timm:NAME, torchvision:NAME, FILE.onnx or "
    "python:MODULE:FUNCTION"
)


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What a classifier's file does not say of it.

    Attributes:
        weights: A safetensors file for timm:NAME and torchvision:NAME.
        classes: Names of its outputs, in their order (of one output: the two classes, the second that
            which it stands for).
        size: Side of its images in pixels (0: what its library says).
        grey: Its images are grey; a network of three channels gets them repeated.
        mean: What it subtracts from images in [0, 1], one number for each of its channels (none: what
            its library says).
        std: What it divides by.
        finding: Of a network that says several findings: the one to audit, or 'all': then its answer is
            the strongest finding, or 'no finding'.
        head: What its outputs are (auto: found out on a few images).
    """

    weights: str = ""
    classes: tuple[str, ...] = ()
    size: int = 0
    grey: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    finding: str = ""
    head: Kind | Literal["auto"] = "auto"


@dataclass(frozen=True)
class Brought:
    """A network, and what its library or file says of its images.

    Attributes:
        network: It.
        architecture: Its name, as in a model card, if it can be built anew by it.
        size: Side of its images in pixels (0: not said).
        mean, std: Its normalisation (none: not said).
    """

    network: nn.Module
    architecture: str = ""
    size: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def load_model(spec: str | Path, options: ModelOptions | None = None) -> Classifier:
    """Load a classifier.

    Args:
        spec: A folder of `straylight finetune`; ``timm:NAME`` or ``torchvision:NAME`` with `weights`;
            ``FILE.onnx``; or ``python:MODULE:FUNCTION``, a function without arguments that returns a
            module or a `Classifier` (it is run: give only your own).
        options: What that does not say.

    Raises:
        InputError: If it is none of these, cannot be read without running its code, something is not
            said, or its outputs are no classifier's.
    """
    options = options or ModelOptions()
    text = str(spec)
    if text.startswith(PYTHON):
        made = call_factory(text)
        if isinstance(made, Classifier):
            return unchanged(made, options, text)
        return wrap(Brought(made), options, text)
    if text.startswith((TIMM, TORCHVISION)):
        return wrap(build_named(text, options), options, text)
    path = Path(spec)
    if isdir(path):
        return unchanged(load_classifier(path), options, text)
    if path.suffix.lower() == ONNX:
        return wrap(Brought(read_onnx(path)), options, text)
    if path.suffix.lower() in PICKLED:
        raise InputError(
            f"{path} may hold pickled objects, which can run code, and is not read: save its state_dict "
            "with safetensors.torch.save_file and give timm:NAME --weights FILE.safetensors, or export it "
            "to ONNX, or give python:MODULE:FUNCTION."
        )
    raise InputError(f"{spec} is no model: give {KINDS}.")


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
    if not (size and mean and std and options.classes):
        raise InputError(
            f"{spec} needs --classes NAME NAME ..., --size PIXELS, --mean and --std (what it subtracts "
            "from images in [0, 1] and divides by: 0 and 1 if it takes them as they are)."
        )
    if len(mean) != len(std) or len(mean) not in (1, RGB) or not all(s > 0 for s in std):
        raise InputError(
            "--mean and --std need one number each for every channel, 1 or 3, with std > 0."
        )
    shape: Shape = (1 if options.grey or len(mean) == 1 else RGB, size, size)

    make = partial(Classifier, shape=shape, mean=mean, std=std, spec=spec)
    try:
        with torch.no_grad():
            outputs = make(Head(brought.network, "logits"), class_names=())(probes(shape))
    except InputError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise InputError(
            f"{spec} cannot take images of shape {shape}: {reason_of(error)}."
        ) from error
    head, names = head_of(brought.network, outputs, options, spec)
    card: dict[str, Any] = {"head": head.kind, "mean": mean, "std": std}
    if options.finding:
        card["finding"] = options.finding if options.finding != ALL else ALL_MEANS
    if brought.architecture:
        card |= {"architecture": brought.architecture, "arguments": {}}
    return make(head, class_names=names, card=card)


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


def build_named(spec: str, options: ModelOptions) -> Brought:
    """Build a network of timm or torchvision and fill it."""
    if not options.weights or not options.classes:
        raise InputError(f"{spec} needs --weights FILE.safetensors and --classes NAME NAME ...")
    architecture = spec.removeprefix(TIMM)
    network = build_network(architecture, {}, len(options.classes))
    load_weights(network, Path(options.weights))
    said: dict[str, Any] = getattr(network, "default_cfg", {})
    return Brought(
        network,
        architecture,
        said.get("input_size", (RGB, 224, 224))[1],
        tuple(said.get("mean", IMAGENET_MEAN)),
        tuple(said.get("std", IMAGENET_STD)),
    )


def call_factory(spec: str) -> nn.Module:
    """Call ``python:MODULE:FUNCTION``; modules in the working folder are found too."""
    module, _, function = spec.removeprefix(PYTHON).partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        made = getattr(importlib.import_module(module), function)()
    except Exception as error:
        # Users' own code raises what it likes.
        raise InputError(
            f"{spec} failed ({type(error).__name__}: {error}): give python:MODULE:FUNCTION, a function "
            "without arguments that returns a torch.nn.Module."
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(made, nn.Module):
        raise InputError(f"{spec} returned a {type(made).__name__}, not a torch.nn.Module.")
    return made


def read_onnx(path: Path) -> nn.Module:
    """Convert an ONNX file to a module with gradients (onnx2torch)."""
    if not isfile(path):
        raise InputError(f"{path} does not exist: give an existing .onnx file.")
    try:
        import onnx
        from onnx2torch import convert
    except ImportError:
        raise InputError(f"{path} needs onnx2torch: 'pip install straylight[onnx]'.") from None
    try:
        model = onnx.load(path, load_external_data=False)
        onnx.checker.check_model(model)
        network: nn.Module = convert(model)
    except Exception as error:
        # protobuf, onnx and the converter each raise their own kinds.
        raise InputError(
            f"{path} cannot be converted from ONNX ({type(error).__name__}: {reason_of(error)}): export it "
            "again with all weights inside, or give python:MODULE:FUNCTION."
        ) from error
    return network
