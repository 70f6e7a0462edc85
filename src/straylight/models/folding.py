"""Batch norm folded into the convolution before it: the same function in fewer passes over memory."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from straylight.models.classifier import Classifier, noise

TOLERANCE = 1e-3  # on logits, relative to their spread


def fold(classifier: Classifier) -> Classifier:
    """Return a copy of `classifier` with its batch norms folded, or itself where that cannot be done.

    In evaluation mode a batch norm is a fixed scale and shift of each channel, which the convolution
    that feeds it can do itself. Which feeds which is found by one forward pass. The copy must give
    the same logits on it, to rounding; if it does not, the classifier is returned as it was.
    """
    probe, layout = noise(2, classifier.shape), classifier.layout
    try:
        folded = copy.deepcopy(classifier)
    except Exception:
        # Networks of users hold what cannot be copied: open files, locks, tensors with a history.
        return classifier
    pairs = find_pairs(folded, probe)
    if not pairs:
        return classifier
    for name, (convolution, norm) in pairs.items():
        if norm.running_mean is None or norm.running_var is None:
            continue
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        folded.set_submodule(name, rest_of(norm))
    folded.eval().requires_grad_(False)
    folded.to(memory_format=layout)
    with torch.no_grad():
        expected, found = classifier(probe), folded(probe)
    spread = float(expected.std()) + 1e-6
    same = bool(((expected - found).abs() <= TOLERANCE * spread).all())
    return folded if same else classifier


def find_pairs(
    classifier: Classifier, probe: Tensor
) -> dict[str, tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Name the batch norms whose input is a convolution's output, with that convolution."""
    makers: dict[int, nn.Conv2d] = {}
    pairs: dict[str, tuple[nn.Conv2d, nn.BatchNorm2d]] = {}
    names = {module: name for name, module in classifier.named_modules()}
    alive: list[Tensor] = []  # keeps outputs, so that no two share an id

    def made(module: nn.Conv2d, _: tuple[Tensor, ...], output: Tensor) -> None:
        makers[id(output)] = module
        alive.append(output)

    def fed(module: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        convolution = makers.get(id(inputs[0]))
        if convolution is not None:
            pairs[names[module]] = (convolution, module)

    handles = [m.register_forward_hook(made) for m in names if isinstance(m, nn.Conv2d)]
    handles += [m.register_forward_pre_hook(fed) for m in names if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        classifier(probe)
    for handle in handles:
        handle.remove()
    used = [convolution for convolution, _ in pairs.values()]
    return {name: pair for name, pair in pairs.items() if used.count(pair[0]) == 1}


def rest_of(norm: nn.BatchNorm2d) -> nn.Module:
    """Return what a batch norm does besides: timm's carry dropout and an activation."""
    parts = [getattr(norm, name) for name in ("drop", "act") if hasattr(norm, name)]
    return nn.Sequential(*parts) if parts else nn.Identity()
