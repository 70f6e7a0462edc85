"""Unwrap a network's outputs: one row of numbers for each image, from any container."""

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass

import torch
from torch import Tensor

from straylight.core.errors import InputError, join_names, quote_text
from straylight.core.tensors import Logits

LOGITS = "logits"
MOST_NESTED = 4  # nested containers
MOST_NAMED = 4  # parts named in a message


def as_table(
    outputs: object, n: int, columns: Collection[int] = (), model_name: str = "the model"
) -> Logits:
    """Return the outputs for `n` images as a float32 table (n, K).

    From a container, the logits are the part named ``logits``, the only part, or the only part with a known
    number of `columns`. Axes of length 1 that the network squeezed or left over are corrected, using the
    number of images.

    >>> as_table(torch.zeros(7), 1, {7}).shape, as_table({"logits": torch.zeros(2, 7, 1, 1)}, 2).shape
    (torch.Size([1, 7]), torch.Size([2, 7]))

    Raises:
        InputError: If they are not a table, or it is ambiguous which part contains the logits.
    """
    found = _find_logits(outputs, n, columns, model_name)
    if not isinstance(found, Tensor):
        raise InputError(
            f"{model_name} gives {type(found).__name__} for a batch of images: a classifier gives one row "
            "of numbers for each image, as a torch tensor."
        )
    if reason := _non_plain_reason(found):
        raise InputError(
            f"{model_name} gives {reason} for a batch of images: a classifier gives one row of "
            "floating-point numbers for each image, in memory of the processor."
        )
    table = _as_rows(found, n)
    if table is None:
        raise InputError(
            f"{model_name} gives {tuple(found.shape)} for a batch of {n} images: a classifier gives one "
            "row of numbers for each image, (N, classes)."
        )
    return table.float()


def _as_rows(outputs: Tensor, n: int) -> Tensor | None:
    """Return a tensor as (n, K), or None if it is not a table with `n` rows.

    >>> _as_rows(torch.zeros(5), 5).shape, _as_rows(torch.tensor(1.0), 1).shape
    (torch.Size([5, 1]), torch.Size([1, 1]))
    >>> _as_rows(torch.zeros(2, 3, 4, 4), 2), _as_rows(torch.zeros(7), 2)
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


def _non_plain_reason(outputs: Tensor) -> str:
    """Return why a tensor is not plain floating-point numbers on the CPU ("": it is)."""
    if outputs.is_nested or outputs.layout != torch.strided:
        return "a nested tensor" if outputs.is_nested else "a sparse tensor"
    if outputs.is_quantized or not outputs.is_floating_point():
        return str(outputs.dtype).removeprefix("torch.")
    return "" if outputs.device.type == "cpu" else f"a tensor on {outputs.device.type}"


def _find_logits(outputs: object, n: int, columns: Collection[int], model_name: str) -> object:
    """Return the logits from nested containers; anything else is returned as it is."""
    for _ in range(MOST_NESTED):
        parts = _container_parts(outputs)
        if parts is None:
            return outputs
        if LOGITS in parts:
            outputs = parts[LOGITS]
        elif len(parts) == 1:
            (outputs,) = parts.values()
        else:
            return _only_fitting_part(outputs, parts, n, columns, model_name)
    return outputs


def _container_parts(outputs: object) -> dict[str | int, object] | None:
    """Return the parts of a container by name or index, or None if it is not a container."""
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


def _only_fitting_part(
    outputs: object,
    parts: dict[str | int, object],
    n: int,
    columns: Collection[int],
    model_name: str,
) -> Tensor:
    """Return the only part that can be the logits.

    Raises:
        InputError: If there is none, or more than one.
    """
    tables = {
        name: part
        for name, part in parts.items()
        if isinstance(part, Tensor)
        and not _non_plain_reason(part)
        and _as_rows(part, n) is not None
    }
    fitting = [
        part
        for part in tables.values()
        if part.ndim >= 2 and _has_known_columns(_as_rows(part, n), columns)
    ]
    if len(fitting) != 1 and columns:
        squeezed = [
            part for part in tables.values() if _has_known_columns(_as_rows(part, n), columns)
        ]
        fitting = fitting or squeezed
    if len(fitting) == 1:
        return fitting[0]
    if not parts:
        raise InputError(
            f"{model_name} gives an empty {type(outputs).__name__}: return its logits."
        )
    described = [f"{name} {_describe_part(part)}" for name, part in parts.items()]
    key = next((name for name in parts if name in tables), next(iter(parts)))
    way = f".{key}" if is_dataclass(outputs) else f"[{quote_text(repr(key), 40)}]"
    raise InputError(
        f"{model_name} gives {type(outputs).__name__} for a batch of {n} images "
        f"({join_names(described, MOST_NAMED)}), and it is not clear which part contains the logits: wrap "
        f"it in a torch.nn.Module whose forward does, for example, 'return self.network(images){way}'."
    )


def _has_known_columns(table: Tensor | None, columns: Collection[int]) -> bool:
    """Return whether a table has a known number of columns."""
    return table is not None and (not columns or table.shape[1] in columns)


def _describe_part(part: object) -> str:
    """Return the shape of a tensor, or the type name of anything else."""
    return str(tuple(part.shape)) if isinstance(part, Tensor) else type(part).__name__
