"""Operators of ONNX that normalise, and the layers of torch for those that have weights of their own."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from straylight.models.readers.export_checks import Refused
from straylight.models.readers.onnx.windows import convolution, fill


def batch_norm(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
    training_mode: int = 0,
) -> Tensor:
    if training_mode or not spatial:
        raise Refused("was exported in training mode (call network.eval() first)")
    return F.batch_norm(x, mean, variance, scale, shift, eps=epsilon)


def instance_norm(x: Tensor, scale: Tensor, shift: Tensor, *, epsilon: float = 1e-5) -> Tensor:
    return F.group_norm(x, x.shape[1], scale, shift, epsilon)


def layer_norm(
    x: Tensor,
    scale: Tensor,
    shift: Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Tensor:
    sides = x.shape[axis % x.ndim :]
    normed = F.layer_norm(x, sides, eps=epsilon) * scale
    return normed if shift is None else normed + shift


def rms_norm(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    along = tuple(range(axis % x.ndim, x.ndim))
    return x * torch.rsqrt(x.square().mean(along, keepdim=True) + epsilon) * scale


def group_norm(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    *,
    epsilon: float = 1e-5,
    num_groups: int,
    stash_type: int = 1,
    opset: int,
) -> Tensor:
    if opset < 21:  # one scale for each group, and not for each channel
        each = x.shape[1] // max(1, num_groups)
        scale, shift = scale.repeat_interleave(each), shift.repeat_interleave(each)
    return F.group_norm(x, num_groups, scale, shift, epsilon)


def local_norm(
    x: Tensor, *, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, size: int
) -> Tensor:
    if size % 2 == 0 or not 1 <= size <= 1024:
        raise Refused("has an LRN over an even number of channels")
    return F.local_response_norm(x, size, alpha, beta, bias)


def lp_norm(x: Tensor, *, axis: int = -1, p: int = 2) -> Tensor:
    if p not in (1, 2):
        raise Refused("has an LpNormalization of another power than 1 and 2")
    return x / (x.abs() ** p).sum(axis, keepdim=True) ** (1 / p)


NORMS: dict[str, Callable[..., Tensor]] = {
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "GroupNormalization": group_norm,
    "LRN": local_norm,
    "LpNormalization": lp_norm,
}


def batch_norm_layer(
    scale: Tensor,
    shift: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
    training_mode: int = 0,
) -> nn.Module:
    """Return a batch norm as torch's own layer: it says what images the network remembers."""
    if training_mode or not spatial:
        raise Refused("was exported in training mode (call network.eval() first)")
    with torch.device("meta"):
        layer = nn.BatchNorm2d(len(scale), eps=epsilon)
    fill(layer, weight=scale, bias=shift, running_mean=mean, running_var=variance)
    layer.num_batches_tracked = torch.tensor(0)
    return layer


def linear_layer(
    weight: Tensor,
    bias: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> nn.Module | None:
    """Return a product with weights as torch's own layer, where it is one."""
    weight = weight if transB else weight.t()
    if (alpha, beta, transA) != (1.0, 1.0, 0) or bias.shape != weight.shape[:1]:
        return None
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0])
    fill(layer, weight=weight.contiguous(), bias=bias)
    return layer


# Of an image of four dimensions and weights that are constant.
LAYERS: dict[str, tuple[int, Callable[..., nn.Module | None]]] = {
    "Conv": (4, convolution),
    "BatchNormalization": (4, batch_norm_layer),
    "Gemm": (2, linear_layer),
}
