"""Load a classifier from a folder, a model file or a name."""

import sys
from dataclasses import replace
from os.path import isdir, isfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from straylight.core.conventions import Shape
from straylight.core.errors import InputError
from straylight.core.files import digest_files
from straylight.core.tensors import Images, Logits
from straylight.data.findings import ALL, choose_finding
from straylight.data.images import RGB
from straylight.models.classifier import UNNAMED, Classifier
from straylight.models.options import ModelOptions
from straylight.models.outputs import ToLogits, infer_output_kind, single_output_kind
from straylight.models.raw_outputs import as_table
from straylight.models.readers.network import LoadedNetwork
from straylight.models.readers.python_function import PYTHON
from straylight.models.readers.registry import read_network
from straylight.models.specification import describe_class_mismatch

__all__ = ["ModelOptions", "load_model"]

# Description of --finding all in audit.json.
ALL_FINDINGS_NOTE = "the strongest of all that are more likely than not, or 'no finding'"
PLACEHOLDER_CLASSES = ("first", "second")  # used until the meaning of the outputs is known
MODEL_SUFFIXES = (".json", ".safetensors")  # files of a model folder
N_UNIFORM_PROBES = 2  # probes of one brightness: black and white
NORMALISATION_OPTIONS = (
    "--mean and --std (subtracted from images in [0, 1], and divided by: 0 and 1 if the model takes them "
    "as they are)"
)


def load_model(
    spec: str | Path, options: ModelOptions | None = None, *, check_determinism: bool = True
) -> Classifier:
    """Load a classifier.

    Args:
        spec: A folder of `straylight finetune`, of `transformers` or of timm's hub; ``timm:NAME``,
            ``torchvision:NAME`` or ``keras:NAME`` with `weights`; ``hf_hub:ORG/NAME``; ``FILE.onnx``,
            ``FILE.pt2``, ``FILE.pt`` (TorchScript) or ``FILE.keras``; or ``python:MODULE:FUNCTION``, a
            function without arguments that returns a module or a `Classifier` (it is run: give only
            your own).
        options: Settings that the model file does not contain.
        check_determinism: Check that the logits of an image are reproducible (False: preflight does, with
            a more detailed message).

    Raises:
        InputError: If it is none of these, cannot be read without running its code, a setting is missing,
            or its outputs are not those of a classifier.
    """
    options, text = (options or ModelOptions()).parsed(), str(spec)
    loaded = read_network(text, options)
    if isinstance(loaded, Classifier):
        classifier, files = _check_complete_classifier(loaded, options, text), _source_files(text)
    else:
        classifier = _wrap_network(loaded, options, text)
        weights = (Path(options.weights),) if options.weights else ()
        files = [*_source_files(text), *weights, *loaded.files]
    if check_determinism:
        classifier.check_determinism()
    if files:
        classifier.card.setdefault("files", digest_files(files))
    return classifier


def _source_files(spec: str) -> list[Path]:
    """Return the files that a spec refers to: the file, those of a folder, or a function's module."""
    if spec.startswith(PYTHON):
        module = sys.modules.get(spec.removeprefix(PYTHON).partition(":")[0])
        source = getattr(module, "__file__", None)
        return [Path(source)] if source and isfile(source) else []
    if isdir(spec):
        found = (path for path in sorted(Path(spec).iterdir()) if path.suffix in MODEL_SUFFIXES)
        return [path for path in found if path.is_file()]
    return [Path(spec)] if isfile(spec) else []


def _check_complete_classifier(
    classifier: Classifier, options: ModelOptions, spec: str
) -> Classifier:
    """Check a classifier that was read with all its settings; no options may be given for it."""
    if options != ModelOptions():
        raise InputError(
            f"{spec} already defines classes, size and normalisation: remove these options."
        )
    if classifier.spec == UNNAMED:
        classifier.spec = spec
    classifier.check()
    return classifier


def _wrap_network(loaded: LoadedNetwork, options: ModelOptions, spec: str) -> Classifier:
    """Build a classifier from a network: infer what its outputs mean, and run it on a few images."""
    size = options.size or loaded.size
    mean, std = options.mean or loaded.mean, options.std or loaded.std
    classes = options.classes or loaded.classes
    _require_settings(spec, classes, size, mean, std)
    shape: Shape = (1 if options.grey or len(mean) == 1 else RGB, size, size)

    frame = Classifier(
        loaded.network, shape=shape, class_names=PLACEHOLDER_CLASSES, mean=mean, std=std, spec=spec
    )
    outputs = _probe_outputs(frame, len(classes))
    head, names = _wrap_outputs(loaded.network, outputs, replace(options, classes=classes), spec)
    card: dict[str, Any] = {"head": head.kind, "mean": mean, "std": std}
    if options.finding:
        card["finding"] = options.finding if options.finding != ALL else ALL_FINDINGS_NOTE
    if notes := [*loaded.notes, *frame.card.get("notes", ())]:
        card["notes"] = notes
    if loaded.architecture:
        card |= {"architecture": loaded.architecture, "arguments": loaded.arguments}
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


def _probe_outputs(frame: Classifier, n_classes: int) -> Logits:
    """Return the outputs of a network for the probe images (without black and white if not finite).

    Raises:
        InputError: If it cannot take them, or its outputs are not a table.
    """
    columns = {1, 2} if n_classes == 2 else {n_classes}
    images = _probe_images(frame.shape)
    with torch.no_grad():
        try:
            outputs = as_table(frame.outputs(images), len(images), columns, frame.display_name)
        except InputError:
            _check_channel_count(frame, columns)
            raise
    finite = outputs.isfinite().all(1)
    # Networks that divide by each image's standard deviation give NaN for black and white images.
    return outputs[finite] if bool(finite[N_UNIFORM_PROBES:].all()) else outputs


def _check_channel_count(frame: Classifier, columns: set[int]) -> None:
    """Raise InputError if a network that fails takes images with another number of channels."""
    other = RGB if frame.mean.shape[1] == 1 else 1
    try:
        again = Classifier(
            frame.network,
            shape=(other, *frame.shape[1:]),
            class_names=PLACEHOLDER_CLASSES,
            mean=0.0,
            std=1.0,
        )
        images = _probe_images(again.shape)
        as_table(again.outputs(images), len(images), columns)
    except InputError:
        return
    expected = (
        "images of one channel, so one number is needed for mean and std (--mean, --std), not three"
        if other == 1
        else "RGB images, so three numbers are needed for mean and std (--mean, --std), not one"
    )
    raise InputError(f"{frame.display_name} takes {expected}.")


def _require_settings(
    spec: str,
    classes: tuple[str, ...],
    size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> None:
    """Check that the file or the user defines classes, size and normalisation."""
    required = {
        "--classes NAME NAME ...": classes,
        "--size PIXELS": size,
        NORMALISATION_OPTIONS: mean and std,
    }
    missing = [option for option, value in required.items() if not value]
    if missing:
        raise InputError(f"{spec} needs {', '.join(missing)}.")
    if len(mean) != len(std) or len(mean) not in (1, RGB) or not all(s > 0 for s in std):
        raise InputError(
            "--mean and --std need one number each for every channel, 1 or 3, with std > 0."
        )


def _wrap_outputs(
    network: nn.Module, outputs: Tensor, options: ModelOptions, spec: str
) -> tuple[ToLogits, tuple[str, ...]]:
    """Return a network that gives logits, and its class names, given its `outputs` on the probes."""
    names, n = options.classes, outputs.shape[1]
    if options.finding:
        finding, names = choose_finding(options.finding, names, n, spec)
        alone = outputs.reshape(-1, 1)
        kind = (
            infer_output_kind(alone, spec)
            if options.head == "auto"
            else single_output_kind(options.head)
        )
        return ToLogits(network, kind, finding, n), names
    kind = infer_output_kind(outputs, spec) if options.head == "auto" else options.head
    if len(names) != max(2, n):
        raise InputError(describe_class_mismatch(spec, n, names, hint=False))
    return ToLogits(network, kind, n_outputs=n), names


def _probe_images(shape: Shape) -> Images:
    """Return varied images: black, white, and noise at six brightnesses."""
    noise = torch.rand(6, *shape, generator=torch.Generator().manual_seed(0))
    levels = torch.linspace(0.1, 0.9, 6).view(-1, 1, 1, 1)
    even = [torch.zeros(1, *shape), torch.ones(1, *shape)]
    return torch.cat([*even, (levels + noise - 0.5).clamp(0, 1)])
