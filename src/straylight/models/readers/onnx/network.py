"""A network that runs the nodes of an ONNX file with torch functions, and no code from the file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.elementwise import ELEMENTWISE
from straylight.models.readers.onnx.indexing import INDEXING
from straylight.models.readers.onnx.norms import NORMS
from straylight.models.readers.onnx.pooling import POOLING
from straylight.models.readers.onnx.reductions import REDUCTIONS
from straylight.models.readers.onnx.resizing import RESIZING
from straylight.models.readers.onnx.shapes import SHAPES
from straylight.models.readers.onnx.windows import CONVOLUTIONS

OPERATORS: dict[str, Callable[..., Any]] = {
    **ELEMENTWISE,
    **SHAPES,
    **INDEXING,
    **REDUCTIONS,
    **CONVOLUTIONS,
    **POOLING,
    **RESIZING,
    **NORMS,
}
# Inputs whose values determine the output's shape, by position: they may not depend on the images.
SHAPE_INPUTS: dict[str, frozenset[int]] = {
    "Reshape": frozenset({1}),
    "Squeeze": frozenset({1}),
    "Unsqueeze": frozenset({1}),
    "Split": frozenset({1}),
    "Slice": frozenset({1, 2, 3, 4}),
    "Expand": frozenset({1}),
    "Tile": frozenset({1}),
    "CumSum": frozenset({1}),
    "ConstantOfShape": frozenset({0}),
    "Range": frozenset({0, 1, 2}),
    "Pad": frozenset({1, 2, 3}),
    "Dropout": frozenset({2}),
    "Resize": frozenset({1, 2, 3}),
    "Upsample": frozenset({1}),
    **dict.fromkeys(REDUCTIONS, frozenset({1})),
}
TO_NHWC = (0, 2, 3, 1)


@dataclass(frozen=True)
class OnnxStep:
    """One node of a graph, ready to compute.

    Attributes:
        inputs, outputs: Numbers of values (None: omitted).
        keywords: Keyword arguments of the operator's function.
        layer: Name of the torch layer that computes it instead, if there is one.
        last: Values that no later step needs.
    """

    operator: str
    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]
    function: Callable[..., Any]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    layer: str = ""
    last: tuple[int, ...] = ()

    def compute(self, inputs: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        """Apply the operator's function."""
        found = self.function(*inputs, **self.keywords)
        return found if isinstance(found, tuple) else (found,)


class OnnxNetwork(nn.Module):
    """A network from images (N, C, H, W) to one output of an ONNX graph.

    Args:
        steps: The steps, in order.
        layers: Torch layers by name, for the steps that have one.
        constants: Values that do not depend on the images.
        image, output: Numbers of the input and output values.
        nhwc: The graph takes channels last.
    """

    def __init__(
        self,
        steps: Sequence[OnnxStep],
        layers: Mapping[str, nn.Module],
        constants: Mapping[int, Tensor],
        *,
        image: int,
        output: int,
        nhwc: bool,
    ) -> None:
        super().__init__()
        self.steps, self.layers = tuple(steps), nn.ModuleDict(layers)
        self.image, self.output, self.nhwc = image, output, nhwc
        self.names = {number: f"constant_{number}" for number in constants}
        for number, tensor in constants.items():
            self.register_buffer(self.names[number], tensor)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        values: dict[int, Tensor] = {n: getattr(self, name) for n, name in self.names.items()}
        values[self.image] = images.permute(TO_NHWC) if self.nhwc else images
        for step in self.steps:
            if step.layer:
                found: tuple[Tensor, ...] = (self.layers[step.layer](values[_layer_input(step)]),)
            else:
                found = step.compute([None if n is None else values[n] for n in step.inputs])
            for number, value in zip(step.outputs, found, strict=False):
                if number is not None:
                    values[number] = value
            for number in step.last:
                values.pop(number, None)
        return values[self.output]

    def source(self) -> bytes:
        """Return the graph as text for its digest: graphs with the same weights may differ."""
        lines = [f"{self.image} {self.output} {self.nhwc}"]
        for step in self.steps:
            keywords = sorted(
                (k, v.tolist() if isinstance(v, Tensor) else v) for k, v in step.keywords.items()
            )
            as_in_file = step.function is OPERATORS[step.operator]  # or changed for any batch size
            lines.append(f"{step.operator} {as_in_file} {step.inputs} {step.outputs} {keywords}")
        lines += [repr(layer) for layer in self.layers.values()]
        return "\n".join(lines).encode()


def _layer_input(step: OnnxStep) -> int:
    """Return the number of a layer's input."""
    number = step.inputs[0]
    if number is None:
        raise UnsupportedModelError(f"has a {step.operator} without its input")
    return number


def infer_shapes(
    step: OnnxStep, layer: nn.Module | None, inputs: Sequence[Tensor | None], real: frozenset[int]
) -> tuple[Tensor, ...]:
    """Return the outputs of a step as shapes only (on torch's device "meta").

    Args:
        step: The step.
        layer: Its torch layer, if it has one.
        inputs: Its inputs, with values or on the device "meta".
        real: Positions of the inputs whose values determine the output's shape.

    Raises:
        UnsupportedModelError: If such a value is computed from the images.
    """
    given: list[Tensor | None] = []
    for position, value in enumerate(inputs):
        if position in real and value is not None and value.is_meta:
            raise UnsupportedModelError(
                f"has a {step.operator} whose shape depends on the content of the images"
            )
        given.append(value if value is None or position in real else value.to("meta"))
    x = given[0] if given else None
    if isinstance(layer, nn.BatchNorm2d) and x is not None and x.shape[1] == layer.num_features:
        return (torch.empty_like(x),)  # torch would need milliseconds
    with torch.device("meta"):
        if layer is None:
            return step.compute(given)
        tensors = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
        shapes = {name: tensor.to("meta") for name, tensor in tensors.items()}
        return (torch.func.functional_call(layer, shapes, (given[0],)),)
