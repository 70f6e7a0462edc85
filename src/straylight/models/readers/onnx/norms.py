"""ONNX normalisation operators, and torch layers for operators with weights."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.windows import conv_layer, fill_layer


def onnx_batch_normalization(
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
        raise UnsupportedModelError("was exported in training mode (call network.eval() first)")
    return F.batch_norm(x, mean, variance, scale, shift, eps=epsilon)


def onnx_instance_normalization(
    x: Tensor, scale: Tensor, shift: Tensor, *, epsilon: float = 1e-5
) -> Tensor:
    return F.group_norm(x, x.shape[1], scale, shift, epsilon)


def onnx_layer_normalization(
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


def onnx_rms_normalization(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    along = tuple(range(axis % x.ndim, x.ndim))
    return x * torch.rsqrt(x.square().mean(along, keepdim=True) + epsilon) * scale


def onnx_group_normalization(
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


def onnx_lrn(
    x: Tensor, *, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, size: int
) -> Tensor:
    if size % 2 == 0 or not 1 <= size <= 1024:
        raise UnsupportedModelError("has an LRN over an even number of channels")
    return F.local_response_norm(x, size, alpha, beta, bias)


def onnx_lp_normalization(x: Tensor, *, axis: int = -1, p: int = 2) -> Tensor:
    if p not in (1, 2):
        raise UnsupportedModelError("has an LpNormalization with a power other than 1 and 2")
    return x / (x.abs() ** p).sum(axis, keepdim=True) ** (1 / p)


NORMS: dict[str, Callable[..., Tensor]] = {
    "BatchNormalization": onnx_batch_normalization,
    "InstanceNormalization": onnx_instance_normalization,
    "LayerNormalization": onnx_layer_normalization,
    "RMSNormalization": onnx_rms_normalization,
    "GroupNormalization": onnx_group_normalization,
    "LRN": onnx_lrn,
    "LpNormalization": onnx_lp_normalization,
}


def _batch_norm_layer(
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
    """Build a batch norm as a torch layer, so that its running statistics can be read."""
    if training_mode or not spatial:
        raise UnsupportedModelError("was exported in training mode (call network.eval() first)")
    with torch.device("meta"):
        layer = nn.BatchNorm2d(len(scale), eps=epsilon)
    fill_layer(layer, weight=scale, bias=shift, running_mean=mean, running_var=variance)
    layer.num_batches_tracked = torch.tensor(0)
    return layer


def _linear_layer(
    weight: Tensor,
    bias: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> nn.Module | None:
    """Build a product with weights as a torch linear layer, or None if it is not one."""
    weight = weight if transB else weight.t()
    if (alpha, beta, transA) != (1.0, 1.0, 0) or bias.shape != weight.shape[:1]:
        return None
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0])
    fill_layer(layer, weight=weight.contiguous(), bias=bias)
    return layer


# Operators built as torch layers if their weights are constant, with the number of input dimensions.
LAYERS: dict[str, tuple[int, Callable[..., nn.Module | None]]] = {
    "Conv": (4, conv_layer),
    "BatchNormalization": (4, _batch_norm_layer),
    "Gemm": (2, _linear_layer),
}
