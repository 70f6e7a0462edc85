"""Model settings that cannot be read from the model file. Importable without torch."""

from dataclasses import dataclass, replace
from typing import Literal

from straylight.models.specification import parse_channel_values, parse_class_names

OutputKind = Literal["logits", "probabilities", "one-logit", "one-probability"]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Model settings that cannot be read from the model file.

    Attributes:
        weights: A .safetensors file for timm:NAME and torchvision:NAME, an .h5 file for keras:NAME.
        classes: Names of the outputs, in their order. For a single output: both classes, the second one
            being the class that the output stands for.
        size: Side of the images in pixels (0: as the model's library says).
        grey: The images are grey; a model with three channels gets them repeated.
        mean: Mean that the model subtracts from images in [0, 1], one number per channel (default: as
            its library says).
        std: Standard deviation that the model divides by.
        finding: For a model with several findings: the finding to audit, or 'all': then the class of an
            image is its strongest finding, or 'no finding'.
        head: Meaning of the outputs (auto: detected on a few images).
    """

    weights: str = ""
    classes: tuple[str, ...] = ()
    size: int = 0
    grey: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    finding: str = ""
    head: OutputKind | Literal["auto"] = "auto"

    def parsed(self) -> "ModelOptions":
        """Return the options with lists, arrays and single values converted to tuples.

        Raises:
            InputError: If a value is invalid.
        """
        return replace(
            self,
            weights=str(self.weights or ""),
            classes=parse_class_names(self.classes),
            mean=parse_channel_values(self.mean, "mean"),
            std=parse_channel_values(self.std, "std"),
        )
