"""A network made of a graph: each node is checked, and its shapes are computed before its numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from straylight.core.errors import quoted, reason_of
from straylight.models.readers.export_checks import Refused
from straylight.models.readers.onnx.attributes import check_numbers, function_of, keywords_of
from straylight.models.readers.onnx.limits import Cost
from straylight.models.readers.onnx.model import Model, Node, constant
from straylight.models.readers.onnx.network import (
    OPERATORS,
    TO_NHWC,
    VALUES,
    Network,
    Step,
    on_meta,
)
from straylight.models.readers.onnx.norms import LAYERS
from straylight.models.readers.onnx.shapes import concat_rows, reshape_rows

ROWS = 3  # images of the batch that a graph is traced with


@dataclass(frozen=True)
class Images:
    """The batch that a graph is traced with."""

    rows: int
    shape: tuple[int, int, int]
    nhwc: bool

    def meta(self) -> Tensor:
        images = torch.empty(self.rows, *self.shape, device="meta")
        return images.permute(TO_NHWC) if self.nhwc else images


class Trace:
    """Goes through the nodes that lead to an output.

    Args:
        model: The graph.
        output: Number of the value that is wanted.
        images: A batch.
        one_batch: Have a graph that was exported for the batch size of `images` take any other.
    """

    def __init__(self, model: Model, output: int, images: Images, *, one_batch: bool) -> None:
        self.model, self.output, self.images, self.one_batch = model, output, images, one_batch
        self.constants = dict(model.constants)  # the same for all images
        self.values: dict[int, Tensor] = {model.image: images.meta()}
        self.layers: dict[str, nn.Module] = {}
        self.cost = cost_of(images, model)

    def network(self) -> Network:
        """Return the network.

        Raises:
            Refused: If a node is not one that can be computed here, or costs too much.
        """
        steps = []
        for node, last in with_last_uses(self.model, self.output):
            step = self.step(node)
            if step is not None:
                step = replace(step, last=last)
                self.cost.free(step)
                for number in last:
                    self.values.pop(number, None)
                steps.append(step)
        if self.output in self.constants:
            raise Refused("gives an output that does not depend on the images")
        used = {number for step in steps if not step.layer for number in step.inputs}
        return Network(
            steps,
            self.layers,
            {n: t for n, t in self.constants.items() if n in used},
            image=self.model.image,
            output=self.output,
            nhwc=self.images.nhwc,
        )

    def step(self, node: Node) -> Step | None:
        """Return a node as a step; none if its values are the same for all images: those are kept."""
        if node.operator == "Constant" and node.outputs and node.outputs[0] is not None:
            self.constants[node.outputs[0]] = constant(node)
            return None
        function = function_of(node.operator)
        keywords = keywords_of(function, node, self.model.opset)
        step = Step(node.operator, node.inputs, node.outputs, function, keywords)
        inputs = [self.value(node, number) for number in node.inputs]
        check_numbers(node, inputs)
        layer = self.layer(node, inputs)
        if layer is not None:
            step = replace(step, layer=f"layer_{len(self.layers)}")
        fixed = all(n is None or n in self.constants for n in node.inputs)
        step = self.for_any_batch(step, inputs) if self.one_batch else step
        outputs = self.compute(step, layer, inputs, fixed=fixed)
        if layer is not None:
            self.layers[step.layer] = layer
            step = replace(step, inputs=node.inputs[:1])  # it has its weights itself
        kept = self.constants if fixed else self.values
        kept |= {n: v for n, v in zip(node.outputs, outputs, strict=False) if n is not None}
        return None if fixed else step

    def value(self, node: Node, number: int | None) -> Tensor | None:
        """Return an input of a node: its numbers, or its shape alone if it depends on the images."""
        if number is None:
            return None
        found = self.constants.get(number, self.values.get(number))
        if found is None:
            raise Refused(f"has a {node.operator} of an output that is not computed here")
        return found

    def layer(self, node: Node, inputs: Sequence[Tensor | None]) -> nn.Module | None:
        """Return a layer of torch for a node that has weights, if it can be one."""
        ndim, make = LAYERS.get(node.operator, (0, None))
        if make is None or not inputs or inputs[0] is None or inputs[0].ndim != ndim:
            return None
        weights = inputs[1:]
        if None in node.inputs or not all(n in self.constants for n in node.inputs[1:]):
            return None
        if len(weights) < 1 + (node.operator == "Gemm") or not inputs[0].is_meta:
            return None
        return said(node, make, weights, keywords_of(OPERATORS[node.operator], node, 0))

    def compute(
        self,
        step: Step,
        layer: nn.Module | None,
        inputs: Sequence[Tensor | None],
        *,
        fixed: bool,
    ) -> tuple[Tensor, ...]:
        """Return what comes out of a step, or its shapes alone if it depends on the images."""
        outputs = measured(step, layer, inputs, self.cost)
        if any(value is not None and value.is_meta for value in inputs):
            return outputs
        return computed(step, inputs) if fixed or not outputs[0].is_cpu else outputs

    def for_any_batch(self, step: Step, inputs: Sequence[Tensor | None]) -> Step:
        """Return a step that takes any batch, of a graph that was exported for one batch size."""
        moving = [value for value in inputs if value is not None and value.is_meta]
        if not moving or moving[0].ndim == 0 or moving[0].shape[0] % self.images.rows:
            return step
        if step.operator == "Reshape" and step.inputs[1] in self.constants:
            (found,) = on_meta(step, None, inputs, VALUES["Reshape"])
            sides = tuple(found.shape[1:])
            return replace(step, function=reshape_rows, keywords={"sides": sides})
        if step.operator == "Concat" and step.keywords["axis"] % moving[0].ndim:
            return replace(step, function=concat_rows)
        return step


def measured(
    step: Step, layer: nn.Module | None, inputs: Sequence[Tensor | None], cost: Cost
) -> tuple[Tensor, ...]:
    """Return the shapes that come out of a step, having counted its cost."""
    try:
        outputs = on_meta(step, layer, inputs, VALUES.get(step.operator, frozenset()))
    except Refused:
        raise
    except Exception as error:
        # torch raises many kinds for shapes that do not fit.
        shapes = ", ".join(str(tuple(v.shape)) for v in inputs if v is not None)
        raise Refused(
            f"has a {step.operator} that cannot take {quoted(shapes)} ({reason_of(error)})"
        ) from error
    cost.add(step, inputs, outputs)
    return outputs


def computed(step: Step, inputs: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
    """Return the numbers that come out of a step."""
    try:
        return step.compute(inputs)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"has a {step.operator} that fails ({reason_of(error)})") from error


def measure(network: Network, images: Images, model: Model) -> tuple[int, ...]:
    """Return the shape that a network gives for a batch, from shapes alone.

    Raises:
        Refused: If it does not take the batch, or costs too much.
    """
    cost = cost_of(images, model)
    values = {n: getattr(network, name) for n, name in network.names.items()}
    values[network.image] = images.meta()
    for step in network.steps:
        layer = network.layers[step.layer] if step.layer else None
        inputs = [None if n is None else values[n] for n in step.inputs]
        inputs += [] if layer is None else list(layer.parameters())
        outputs = measured(step, layer, inputs, cost)
        if not any(value is not None and value.is_meta for value in inputs):
            outputs = computed(step, inputs)
        values |= {n: v for n, v in zip(step.outputs, outputs, strict=False) if n is not None}
        cost.free(step)
        for number in step.last:
            values.pop(number, None)
    return tuple(values[network.output].shape)


def cost_of(images: Images, model: Model) -> Cost:
    """Return an account of what a graph may cost on a batch."""
    _, height, width = images.shape
    return Cost(images.rows, height * width, model.size)


def with_last_uses(model: Model, output: int) -> list[tuple[Node, tuple[int, ...]]]:
    """List the nodes that lead to an output, each with the values that nothing behind it needs."""
    found: list[tuple[Node, tuple[int, ...]]] = []
    needed = {output}
    for node in reversed(model.nodes):
        if needed.isdisjoint(n for n in node.outputs if n is not None):
            continue
        used = {n for n in node.inputs if n is not None}
        unused = {n for n in node.outputs if n is not None} - needed
        found.append((node, tuple(sorted((used - needed) | unused))))
        needed |= used
    return found[::-1]


def said(
    node: Node,
    make: Callable[..., nn.Module | None],
    weights: Sequence[Tensor | None],
    keywords: Mapping[str, Any],
) -> nn.Module | None:
    """Return a layer, or say of which node it cannot be made."""
    try:
        return make(*weights, **keywords)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"has a {node.operator} that is not one ({reason_of(error)})") from error
