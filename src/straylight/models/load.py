"""Classifiers by a word: the folder that was trained here, or what users bring."""

import sys
from dataclasses import replace
from os.path import isdir, isfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from straylight.core.errors import InputError
from straylight.core.files import digests
from straylight.core.tensors import Images, Logits, Shape
from straylight.data.findings import ALL, choose_finding
from straylight.data.images import RGB
from straylight.models.classifier import UNNAMED, Classifier
from straylight.models.outputs import Head, kind_alone, kind_of
from straylight.models.raw_outputs import as_table
from straylight.models.readers.network import Brought, ModelOptions
from straylight.models.readers.python_function import PYTHON
from straylight.models.readers.registry import read
from straylight.models.specification import misfit

__all__ = ["ModelOptions", "load_model"]

ALL_MEANS = "the strongest of all that are more likely than not, or 'no finding'"
PROBING = ("first", "second")  # classes, while it is not known what the outputs are
PARTS = (".json", ".safetensors")  # of a folder
EVEN = 2  # probes without structure
NORMALISATION = (
    "--mean and --std (what it subtracts from images in [0, 1] and divides by: 0 and 1 if it takes them "
    "as they are)"
)


def load_model(
    spec: str | Path, options: ModelOptions | None = None, *, steady: bool = True
) -> Classifier:
    """Load a classifier.

    Args:
        spec: A folder of `straylight finetune`, of `transformers` or of timm's hub; ``timm:NAME``,
            ``torchvision:NAME`` or ``keras:NAME`` with `weights`; ``hf_hub:ORG/NAME``; ``FILE.onnx``,
            ``FILE.pt2``, ``FILE.pt`` (TorchScript) or ``FILE.keras``; or ``python:MODULE:FUNCTION``, a
            function without arguments that returns a module or a `Classifier` (it is run: give only
            your own).
        options: What that does not say.
        steady: Check that each image has one answer (False: preflight will, in more words).

    Raises:
        InputError: If it is none of these, cannot be read without running its code, something is not
            said, or its outputs are no classifier's.
    """
    options, text = (options or ModelOptions()).plain(), str(spec)
    brought = read(text, options)
    if isinstance(brought, Classifier):
        classifier, files = unchanged(brought, options, text), files_of(text)
    else:
        classifier = wrap(brought, options, text)
        weights = (Path(options.weights),) if options.weights else ()
        files = [*files_of(text), *weights, *brought.files]
    if steady:
        classifier.check_steady()
    if files:
        classifier.card.setdefault("files", digests(files))
    return classifier


def files_of(spec: str) -> list[Path]:
    """List the files that a word stands for: itself, those of a folder, or the module of a function."""
    if spec.startswith(PYTHON):
        module = sys.modules.get(spec.removeprefix(PYTHON).partition(":")[0])
        source = getattr(module, "__file__", None)
        return [Path(source)] if source and isfile(source) else []
    if isdir(spec):
        found = (path for path in sorted(Path(spec).iterdir()) if path.suffix in PARTS)
        return [path for path in found if path.is_file()]
    return [Path(spec)] if isfile(spec) else []


def unchanged(classifier: Classifier, options: ModelOptions, spec: str) -> Classifier:
    """Return a classifier that says all of itself, having seen that nothing else was said of it."""
    if options != ModelOptions():
        raise InputError(
            f"{spec} says its classes, size and normalisation itself: leave the options away."
        )
    if classifier.spec == UNNAMED:
        classifier.spec = spec
    classifier.check()
    return classifier


def wrap(brought: Brought, options: ModelOptions, spec: str) -> Classifier:
    """Make a classifier of a network: find out its head, and see that it takes its images."""
    size = options.size or brought.size
    mean, std = options.mean or brought.mean, options.std or brought.std
    classes = options.classes or brought.classes
    require(spec, classes, size, mean, std)
    shape: Shape = (1 if options.grey or len(mean) == 1 else RGB, size, size)

    frame = Classifier(
        brought.network, shape=shape, class_names=PROBING, mean=mean, std=std, spec=spec
    )
    outputs = table_of(frame, len(classes))
    head, names = head_of(brought.network, outputs, replace(options, classes=classes), spec)
    card: dict[str, Any] = {"head": head.kind, "mean": mean, "std": std}
    if options.finding:
        card["finding"] = options.finding if options.finding != ALL else ALL_MEANS
    if brought.notes:
        card["notes"] = list(brought.notes)
    if brought.architecture:
        card |= {"architecture": brought.architecture, "arguments": brought.arguments}
    if notes := [*brought.notes, *frame.card.get("notes", ())]:
        card["notes"] = notes
    classifier = Classifier(
        head,
        shape=shape,
        class_names=names,
        mean=mean,
        std=std,
        spec=spec,
        card=card,
        layout=frame.layout,
    )
    classifier.check()
    return classifier


def table_of(frame: Classifier, n_classes: int) -> Logits:
    """Return the outputs of a network for the probes: those of noise, and of even images if finite.

    Raises:
        InputError: If it cannot take them, or gives no table.
    """
    columns = {1, 2} if n_classes == 2 else {n_classes}
    images = probes(frame.shape)
    with torch.no_grad():
        try:
            outputs = as_table(frame.outputs(images), len(images), columns, frame.said)
        except InputError:
            check_channels(frame, columns)
            raise
    finite = outputs.isfinite().all(1)
    # Networks that divide by the deviation of each image have no answer to one that has none.
    return outputs[finite] if bool(finite[EVEN:].all()) else outputs


def check_channels(frame: Classifier, columns: set[int]) -> None:
    """Raise what is wrong of a network that takes images of another number of channels."""
    other = RGB if frame.mean.shape[1] == 1 else 1
    try:
        again = Classifier(
            frame.network, shape=(other, *frame.shape[1:]), class_names=PROBING, mean=0.0, std=1.0
        )
        images = probes(again.shape)
        as_table(again.outputs(images), len(images), columns)
    except InputError:
        return
    said = (
        "images of one channel, so one number is needed for mean and std (--mean, --std), not three"
        if other == 1
        else "RGB images, so three numbers are needed for mean and std (--mean, --std), not one"
    )
    raise InputError(f"{frame.said} takes {said}.")


def require(
    spec: str,
    classes: tuple[str, ...],
    size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> None:
    """Check that all is said of a network's images and outputs, by its file or by the user."""
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
        kind = kind_of(alone, spec) if options.head == "auto" else kind_alone(options.head)
        return Head(network, kind, finding, n), names
    kind = kind_of(outputs, spec) if options.head == "auto" else options.head
    if len(names) != max(2, n):
        raise InputError(misfit(spec, n, names, hint=False))
    return Head(network, kind, n_outputs=n), names


def probes(shape: Shape) -> Images:
    """Make varied images: black, white, and noise of six brightnesses."""
    noise = torch.rand(6, *shape, generator=torch.Generator().manual_seed(0))
    levels = torch.linspace(0.1, 0.9, 6).view(-1, 1, 1, 1)
    even = [torch.zeros(1, *shape), torch.ones(1, *shape)]
    return torch.cat([*even, (levels + noise - 0.5).clamp(0, 1)])
