"""Fold batch norms into the convolutions before them: the same function, computed faster."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from straylight.models.classifier import Classifier, make_noise_images

TOLERANCE = 1e-3  # on logits, relative to their spread


def fold_batch_norms(classifier: Classifier) -> Classifier:
    """Return a copy of `classifier` with its batch norms folded, or `classifier` itself if that fails.

    In evaluation mode a batch norm is a fixed scale and shift of each channel, which can be merged into the
    convolution before it. One forward pass finds the pairs. If the copy does not give the same logits up to
    rounding, `classifier` is returned unchanged.
    """
    probe, layout = make_noise_images(2, classifier.shape), classifier.layout
    try:
        folded = copy.deepcopy(classifier)
    except Exception:
        # Users' networks may hold objects that cannot be copied: open files, locks, non-leaf tensors.
        return classifier
    pairs = _find_conv_norm_pairs(folded, probe)
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
        folded.set_submodule(name, _remaining_layers(norm))
    folded.eval().requires_grad_(False)
    folded.to(memory_format=layout)
    with torch.no_grad():
        expected, found = classifier(probe), folded(probe)
    spread = float(expected.std()) + 1e-6
    same = bool(((expected - found).abs() <= TOLERANCE * spread).all())
    return folded if same else classifier


def _find_conv_norm_pairs(
    classifier: Classifier, probe: Tensor
) -> dict[str, tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Return the batch norms fed by a convolution, by name, each with that convolution."""
    makers: dict[int, nn.Conv2d] = {}
    pairs: dict[str, tuple[nn.Conv2d, nn.BatchNorm2d]] = {}
    names = {module: name for name, module in classifier.named_modules()}
    alive: list[Tensor] = []  # keeps the outputs alive, so that no two share an id

    def record_output(module: nn.Conv2d, _: tuple[Tensor, ...], output: Tensor) -> None:
        makers[id(output)] = module
        alive.append(output)

    def match_input(module: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        convolution = makers.get(id(inputs[0]))
        if convolution is not None:
            pairs[names[module]] = (convolution, module)

    handles = [m.register_forward_hook(record_output) for m in names if isinstance(m, nn.Conv2d)]
    handles += [
        m.register_forward_pre_hook(match_input) for m in names if isinstance(m, nn.BatchNorm2d)
    ]
    with torch.no_grad():
        classifier(probe)
    for handle in handles:
        handle.remove()
    used = [convolution for convolution, _ in pairs.values()]
    return {name: pair for name, pair in pairs.items() if used.count(pair[0]) == 1}


def _remaining_layers(norm: nn.BatchNorm2d) -> nn.Module:
    """Return what remains of a folded batch norm: timm's include dropout and an activation."""
    parts = [getattr(norm, name) for name in ("drop", "act") if hasattr(norm, name)]
    return nn.Sequential(*parts) if parts else nn.Identity()
