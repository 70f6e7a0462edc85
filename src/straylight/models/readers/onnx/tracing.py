"""Build a network from a graph: check each node, and infer its shapes before its values are computed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from straylight.core.errors import quote_text, reason_of
from straylight.models.readers.network import UnsupportedModelError
from straylight.models.readers.onnx.attributes import (
    check_float32,
    node_keywords,
    operator_function,
)
from straylight.models.readers.onnx.limits import ComputeCost
from straylight.models.readers.onnx.model import OnnxModel, OnnxNode, constant_value
from straylight.models.readers.onnx.network import (
    OPERATORS,
    SHAPE_INPUTS,
    TO_NHWC,
    OnnxNetwork,
    OnnxStep,
    infer_shapes,
)
from straylight.models.readers.onnx.norms import LAYERS
from straylight.models.readers.onnx.shapes import concat_any_batch, reshape_any_batch

ROWS = 3  # images of the batch that a graph is traced with


@contextmanager
def _refuse_failures(fault: str) -> Iterator[None]:
    """Raise an exception of torch, which has many types of them, as an unsupported model."""
    try:
        yield
    except UnsupportedModelError:
        raise
    except Exception as error:
        raise UnsupportedModelError(f"{fault} ({reason_of(error)})") from error


@dataclass(frozen=True)
class TraceBatch:
    """The batch that a graph is traced with."""

    rows: int
    shape: tuple[int, int, int]
    nhwc: bool

    def meta_tensor(self) -> Tensor:
        images = torch.empty(self.rows, *self.shape, device="meta")
        return images.permute(TO_NHWC) if self.nhwc else images


class GraphTracer:
    """A builder that converts the nodes leading to an output into a network.

    Args:
        model: The graph.
        output: Number of the output value.
        images: The batch to trace with.
        one_batch: Generalise a graph that was exported for the batch size of `images` to any batch size.
    """

    def __init__(
        self, model: OnnxModel, output: int, images: TraceBatch, *, one_batch: bool
    ) -> None:
        self.model, self.output, self.images, self.one_batch = model, output, images, one_batch
        self.constants = dict(model.constants)  # the same for all images
        self.values: dict[int, Tensor] = {model.image: images.meta_tensor()}
        self.layers: dict[str, nn.Module] = {}
        self.cost = _new_cost(images, model)

    def build_network(self) -> OnnxNetwork:
        """Build the network.

        Raises:
            UnsupportedModelError: If a node is not supported, or costs too much.
        """
        steps = []
        for node, last in _nodes_with_last_uses(self.model, self.output):
            step = self._make_step(node)
            if step is not None:
                step = replace(step, last=last)
                self.cost.free(step)
                for number in last:
                    self.values.pop(number, None)
                steps.append(step)
        if self.output in self.constants:
            raise UnsupportedModelError("gives an output that does not depend on the images")
        used = {number for step in steps if not step.layer for number in step.inputs}
        return OnnxNetwork(
            steps,
            self.layers,
            {n: t for n, t in self.constants.items() if n in used},
            image=self.model.image,
            output=self.output,
            nhwc=self.images.nhwc,
        )

    def _make_step(self, node: OnnxNode) -> OnnxStep | None:
        """Return a node as a step, or None if its outputs are constants (which are stored)."""
        if node.operator == "Constant" and node.outputs and node.outputs[0] is not None:
            self.constants[node.outputs[0]] = constant_value(node)
            return None
        function = operator_function(node.operator)
        keywords = node_keywords(function, node, self.model.opset)
        step = OnnxStep(node.operator, node.inputs, node.outputs, function, keywords)
        inputs = [self._input_value(node, number) for number in node.inputs]
        check_float32(node, inputs)
        layer = self._torch_layer(node, inputs)
        if layer is not None:
            step = replace(step, layer=f"layer_{len(self.layers)}")
        fixed = all(n is None or n in self.constants for n in node.inputs)
        step = self._for_any_batch(step, inputs) if self.one_batch else step
        outputs = self._compute_outputs(step, layer, inputs, fixed=fixed)
        if layer is not None:
            self.layers[step.layer] = layer
            step = replace(step, inputs=node.inputs[:1])  # the layer contains the weights
        kept = self.constants if fixed else self.values
        kept |= {n: v for n, v in zip(node.outputs, outputs, strict=False) if n is not None}
        return None if fixed else step

    def _input_value(self, node: OnnxNode, number: int | None) -> Tensor | None:
        """Return an input of a node: its values, or its shape only if it depends on the images."""
        if number is None:
            return None
        found = self.constants.get(number, self.values.get(number))
        if found is None:
            raise UnsupportedModelError(f"has a {node.operator} of an output that is not computed")
        return found

    def _torch_layer(self, node: OnnxNode, inputs: Sequence[Tensor | None]) -> nn.Module | None:
        """Return a torch layer for a node with weights, or None if it cannot be one."""
        ndim, make = LAYERS.get(node.operator, (0, None))
        if make is None or not inputs or inputs[0] is None or inputs[0].ndim != ndim:
            return None
        weights = inputs[1:]
        if None in node.inputs or not all(n in self.constants for n in node.inputs[1:]):
            return None
        if len(weights) < 1 + (node.operator == "Gemm") or not inputs[0].is_meta:
            return None
        return _make_layer(node, make, weights, node_keywords(OPERATORS[node.operator], node, 0))

    def _compute_outputs(
        self,
        step: OnnxStep,
        layer: nn.Module | None,
        inputs: Sequence[Tensor | None],
        *,
        fixed: bool,
    ) -> tuple[Tensor, ...]:
        """Return the outputs of a step, or their shapes only if they depend on the images."""
        outputs = _infer_step_shapes(step, layer, inputs, self.cost)
        if any(value is not None and value.is_meta for value in inputs):
            return outputs
        return _compute_step(step, inputs) if fixed or not outputs[0].is_cpu else outputs

    def _for_any_batch(self, step: OnnxStep, inputs: Sequence[Tensor | None]) -> OnnxStep:
        """Return a step for any batch size, in a graph that was exported for one batch size."""
        moving = [value for value in inputs if value is not None and value.is_meta]
        if not moving or moving[0].ndim == 0 or moving[0].shape[0] % self.images.rows:
            return step
        if step.operator == "Reshape" and step.inputs[1] in self.constants:
            (found,) = infer_shapes(step, None, inputs, SHAPE_INPUTS["Reshape"])
            sides = tuple(found.shape[1:])
            return replace(step, function=reshape_any_batch, keywords={"sides": sides})
        if step.operator == "Concat" and step.keywords["axis"] % moving[0].ndim:
            return replace(step, function=concat_any_batch)
        return step


def _infer_step_shapes(
    step: OnnxStep, layer: nn.Module | None, inputs: Sequence[Tensor | None], cost: ComputeCost
) -> tuple[Tensor, ...]:
    """Infer the output shapes of a step, and add its cost."""
    shapes = ", ".join(str(tuple(value.shape)) for value in inputs if value is not None)
    with _refuse_failures(f"has a {step.operator} that cannot take {quote_text(shapes)}"):
        outputs = infer_shapes(step, layer, inputs, SHAPE_INPUTS.get(step.operator, frozenset()))
    cost.add(step, inputs, outputs)
    return outputs


def _compute_step(step: OnnxStep, inputs: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
    """Compute the output values of a step."""
    with _refuse_failures(f"has a {step.operator} that fails"):
        return step.compute(inputs)


def infer_output_shape(
    network: OnnxNetwork, images: TraceBatch, model: OnnxModel
) -> tuple[int, ...]:
    """Infer the output shape of a network for a batch, without computing values.

    Raises:
        UnsupportedModelError: If it cannot take the batch, or costs too much.
    """
    cost = _new_cost(images, model)
    values = {n: getattr(network, name) for n, name in network.names.items()}
    values[network.image] = images.meta_tensor()
    for step in network.steps:
        layer = network.layers[step.layer] if step.layer else None
        inputs = [None if n is None else values[n] for n in step.inputs]
        inputs += [] if layer is None else list(layer.parameters())
        outputs = _infer_step_shapes(step, layer, inputs, cost)
        if not any(value is not None and value.is_meta for value in inputs):
            outputs = _compute_step(step, inputs)
        values |= {n: v for n, v in zip(step.outputs, outputs, strict=False) if n is not None}
        cost.free(step)
        for number in step.last:
            values.pop(number, None)
    return tuple(values[network.output].shape)


def _new_cost(images: TraceBatch, model: OnnxModel) -> ComputeCost:
    """Return an empty cost account for a graph and a batch."""
    _, height, width = images.shape
    return ComputeCost(images.rows, height * width, model.size)


def _nodes_with_last_uses(model: OnnxModel, output: int) -> list[tuple[OnnxNode, tuple[int, ...]]]:
    """Return the nodes that lead to an output, each with the values that no later node needs."""
    found: list[tuple[OnnxNode, tuple[int, ...]]] = []
    needed = {output}
    for node in reversed(model.nodes):
        if needed.isdisjoint(n for n in node.outputs if n is not None):
            continue
        used = {n for n in node.inputs if n is not None}
        unused = {n for n in node.outputs if n is not None} - needed
        found.append((node, tuple(sorted((used - needed) | unused))))
        needed |= used
    return found[::-1]


def _make_layer(
    node: OnnxNode,
    make: Callable[..., nn.Module | None],
    weights: Sequence[Tensor | None],
    keywords: Mapping[str, Any],
) -> nn.Module | None:
    """Build a layer; errors name the node."""
    with _refuse_failures(f"has a {node.operator} with weights that do not fit it"):
        return make(*weights, **keywords)
