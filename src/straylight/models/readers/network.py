"""What a reader gives back of a model, and what users say beside its file."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from torch import nn

from straylight.core.errors import quoted
from straylight.models.outputs import Kind
from straylight.models.specification import plain_names, plain_numbers


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What a classifier's file does not say of it.

    Attributes:
        weights: A safetensors file for timm:NAME and torchvision:NAME, an .h5 file for keras:NAME.
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

    def plain(self) -> "ModelOptions":
        """Return the same with tuples for lists, arrays and single values, as Python users write them.

        Raises:
            InputError: If a value is none of these.
        """
        return replace(
            self,
            weights=str(self.weights or ""),
            classes=plain_names(self.classes),
            mean=plain_numbers(self.mean, "mean"),
            std=plain_numbers(self.std, "std"),
        )


@dataclass(frozen=True)
class Brought:
    """A network, and what its library or file says of it.

    Attributes:
        network: Normalised images (N, C, H, W) to outputs (N, K).
        architecture: Its name, as in a model card, if it can be built anew by it.
        arguments: What its library builds it with.
        size: Side of its images in pixels (0: not said).
        mean, std: Its normalisation of images in [0, 1] (none: not said).
        classes: Names of its outputs (none: not said).
        notes: What its user should know of how it was read, a sentence each.
        files: What was read from the disk beside the file or folder that was given, and its --weights.
    """

    network: nn.Module
    architecture: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    size: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def reason_of(error: BaseException) -> str:
    """Return the first line of what a library says, or the kind of its error."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    kind = type(error).__name__
    return f"{kind}: {quoted(lines[0].strip(), 200)}" if lines else kind
