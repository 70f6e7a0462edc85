"""A network's outputs as a table: one row of numbers for each image, whatever they are wrapped in."""

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass

import torch
from torch import Tensor

from straylight.core.errors import InputError, listed, quoted
from straylight.core.tensors import Logits

LOGITS = "logits"
DEEPEST = 4  # containers of one part inside each other
NAMED = 4  # parts that a sentence names


def as_table(
    outputs: object, n: int, columns: Collection[int] = (), said: str = "the model"
) -> Logits:
    """Return the outputs for `n` images as (n, K) in float32.

    What lies in a container is taken where it is the key ``logits``, the only part, or the only one with a
    number of `columns` that is known. Axes of one that a network squeezed away, or left behind, are put
    right: the number of images says which they are.

    >>> as_table(torch.zeros(7), 1, {7}).shape, as_table({"logits": torch.zeros(2, 7, 1, 1)}, 2).shape
    (torch.Size([1, 7]), torch.Size([2, 7]))

    Raises:
        InputError: If they are something else, or it is not clear which part are the logits.
    """
    found = chosen_part(outputs, n, columns, said)
    if not isinstance(found, Tensor):
        raise InputError(
            f"{said} gives {type(found).__name__} for a batch of images: a classifier gives one row of "
            "numbers for each image, as a torch tensor."
        )
    if reason := not_plain(found):
        raise InputError(
            f"{said} gives {reason} for a batch of images: a classifier gives one row of "
            "floating-point numbers for each image, in memory of the processor."
        )
    table = rows_of(found, n)
    if table is None:
        raise InputError(
            f"{said} gives {tuple(found.shape)} for a batch of {n} images: a classifier gives one row "
            "of numbers for each image, (N, classes)."
        )
    return table.float()


def rows_of(outputs: Tensor, n: int) -> Tensor | None:
    """Return a tensor as (n, K), or None if it is no table of `n` rows.

    >>> rows_of(torch.zeros(5), 5).shape, rows_of(torch.tensor(1.0), 1).shape
    (torch.Size([5, 1]), torch.Size([1, 1]))
    >>> rows_of(torch.zeros(2, 3, 4, 4), 2), rows_of(torch.zeros(7), 2)
    (None, None)
    """
    shape = tuple(outputs.shape)
    if n < 1:
        return outputs if len(shape) == 2 and shape[0] == n else None
    beside = shape[1:] if shape[:1] == (n,) else shape if n == 1 else None
    if beside is None:
        return None
    wide = [size for size in beside if size != 1]
    if len(wide) > 1 or 0 in wide or len(shape) > 4:
        return None
    return outputs if len(shape) == 2 and shape[0] == n else outputs.reshape(n, -1)


def not_plain(outputs: Tensor) -> str:
    """Name what keeps a tensor from being plain numbers with a gradient; empty if nothing does."""
    if outputs.is_nested or outputs.layout != torch.strided:
        return "a nested tensor" if outputs.is_nested else "a sparse tensor"
    if outputs.is_quantized or not outputs.is_floating_point():
        return str(outputs.dtype).removeprefix("torch.")
    return "" if outputs.device.type == "cpu" else f"a tensor on {outputs.device.type}"


def chosen_part(outputs: object, n: int, columns: Collection[int], said: str) -> object:
    """Return the logits of a container, or what is none."""
    for _ in range(DEEPEST):
        parts = parts_of(outputs)
        if parts is None:
            return outputs
        if LOGITS in parts:
            outputs = parts[LOGITS]
        elif len(parts) == 1:
            (outputs,) = parts.values()
        else:
            return only_fitting(outputs, parts, n, columns, said)
    return outputs


def parts_of(outputs: object) -> dict[str | int, object] | None:
    """Return the parts of a container by their names or numbers; None for what is none."""
    if isinstance(outputs, Tensor):
        return None
    if isinstance(outputs, Mapping):
        return dict(outputs)
    if isinstance(outputs, tuple) and hasattr(outputs, "_asdict"):
        return dict(outputs._asdict())
    if isinstance(outputs, tuple | list):
        return dict(enumerate(outputs))
    if is_dataclass(outputs) and not isinstance(outputs, type):
        return {field.name: getattr(outputs, field.name) for field in fields(outputs)}
    named = getattr(outputs, LOGITS, None)
    return {LOGITS: named} if isinstance(named, Tensor) else None


def only_fitting(
    outputs: object,
    parts: dict[str | int, object],
    n: int,
    columns: Collection[int],
    said: str,
) -> Tensor:
    """Return the one part that can be the logits.

    Raises:
        InputError: If there are several, or none.
    """
    tables = {
        name: part
        for name, part in parts.items()
        if isinstance(part, Tensor) and not not_plain(part) and rows_of(part, n) is not None
    }
    fitting = [
        part for part in tables.values() if part.ndim >= 2 and fits(rows_of(part, n), columns)
    ]
    if len(fitting) != 1 and columns:
        squeezed = [part for part in tables.values() if fits(rows_of(part, n), columns)]
        fitting = fitting or squeezed
    if len(fitting) == 1:
        return fitting[0]
    if not parts:
        raise InputError(f"{said} gives an empty {type(outputs).__name__}: return its logits.")
    told = [f"{name} {kind_of_part(part)}" for name, part in parts.items()]
    key = next((name for name in parts if name in tables), next(iter(parts)))
    way = f".{key}" if is_dataclass(outputs) else f"[{quoted(repr(key), 40)}]"
    raise InputError(
        f"{said} gives {type(outputs).__name__} for a batch of {n} images ({listed(told, NAMED)}), and "
        "which part are the logits is not clear: give a torch.nn.Module around it whose forward says, "
        f"for example, 'return self.network(images){way}'."
    )


def fits(table: Tensor | None, columns: Collection[int]) -> bool:
    """Return whether a table has a number of columns that is known."""
    return table is not None and (not columns or table.shape[1] in columns)


def kind_of_part(part: object) -> str:
    """Write what a part is: the shape of a tensor, or its type."""
    return str(tuple(part.shape)) if isinstance(part, Tensor) else type(part).__name__
