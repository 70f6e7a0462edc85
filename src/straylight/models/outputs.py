"""Convert a network's outputs (logits or probabilities) to logits; infer which they are from probes."""

from typing import Literal

import torch
from torch import Tensor, nn

from straylight.core.errors import InputError
from straylight.core.tensors import Logits
from straylight.models.options import OutputKind
from straylight.models.raw_outputs import as_table

TOLERANCE = 1e-3
SMALLEST = 1e-30  # lower bound for probabilities before the logarithm


class ToLogits(nn.Module):
    """A network whose outputs are converted to one logit per class.

    Args:
        network: Its outputs are (N, K), or (N,) for one output.
        kind: What the outputs are.
        finding: For networks with several findings: the index of one output, or "all" (see
            `strongest_finding_logits`).
        n_outputs: Number of outputs K, if known: it distinguishes them from the network's other outputs.
    """

    def __init__(
        self,
        network: nn.Module,
        kind: OutputKind,
        finding: int | Literal["all"] | None = None,
        n_outputs: int | None = None,
    ) -> None:
        super().__init__()
        self.network, self.kind, self.finding = network, kind, finding
        self.columns = () if n_outputs is None else (n_outputs,)

    def forward(self, images: Tensor) -> Logits:
        outputs = as_table(self.network(images), len(images), self.columns)
        if self.finding == "all":
            return strongest_finding_logits(outputs, self.kind)
        chosen = outputs if self.finding is None else outputs[:, self.finding, None]
        return to_logits(chosen, self.kind)


def to_logits(outputs: Tensor, kind: OutputKind) -> Logits:
    """Convert outputs (N, K) to logits (N, classes) whose softmax gives the network's probabilities.

    >>> to_logits(torch.tensor([[0.9, 0.1]]), "probabilities").softmax(1)
    tensor([[0.9000, 0.1000]])
    >>> to_logits(torch.tensor([[0.8]]), "one-probability").softmax(1)
    tensor([[0.2000, 0.8000]])
    """
    if kind == "probabilities":
        return outputs.clamp(min=SMALLEST).log()
    if kind == "one-probability":
        return torch.cat([1 - outputs, outputs], 1).clamp(min=SMALLEST).log()
    if kind == "one-logit":
        return torch.cat([-outputs, outputs], 1) / 2
    return outputs


def strongest_finding_logits(outputs: Tensor, kind: OutputKind) -> Logits:
    r"""Convert K findings (N, K) to the logits :math:`(0, z_1, \ldots, z_K)` with each finding's log-odds.

    The largest logit is that of the strongest finding if it is more likely than not, or else the first
    (no finding).

    >>> strongest_finding_logits(torch.tensor([[0.6, 0.9], [0.4, 0.2]]), "one-probability").argmax(1)
    tensor([2, 0])
    """
    pairs = to_logits(outputs.reshape(-1, 1), kind)
    odds = (pairs[:, 1] - pairs[:, 0]).view_as(outputs)
    return torch.cat([torch.zeros_like(odds[:, :1]), odds], 1)


def single_output_kind(kind: OutputKind) -> OutputKind:
    """Return the kind of a single output taken from several outputs of `kind`."""
    alone: dict[OutputKind, OutputKind] = {
        "logits": "one-logit",
        "probabilities": "one-probability",
    }
    return alone.get(kind, kind)


def infer_output_kind(outputs: Tensor, model_name: str = "the model") -> OutputKind:
    """Infer whether outputs (N, K) of varied images are logits or probabilities.

    Rows of numbers in [0, 1] that sum to 1 are probabilities; a single number is a probability if it is
    in [0, 1] for every image.

    Raises:
        InputError: If some are not finite, or if they are in [0, 1] without summing to 1: then the
            network has several findings, and one must be chosen.
    """
    if not bool(outputs.isfinite().all()):
        raise InputError(
            f"{model_name} gives NaN or infinity for ordinary images: check its weights."
        )
    within = bool(((outputs >= 0) & (outputs <= 1)).all())
    if outputs.shape[1] == 1:
        return "one-probability" if within else "one-logit"
    if not within:
        return "logits"
    if bool(((outputs.sum(1) - 1).abs() <= TOLERANCE).all()):
        return "probabilities"
    raise InputError(
        f"{model_name} gives {outputs.shape[1]} numbers in [0, 1] that do not sum to 1, so several "
        "findings for each image: choose one with --finding NAME, or --finding all, and name them all with "
        "--classes. If they are logits nevertheless: --head logits."
    )
