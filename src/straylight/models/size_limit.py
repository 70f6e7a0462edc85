"""Limit the size of the tensors that a constructor may allocate."""

from math import prod
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from straylight.core.errors import InputError

# Numbers that need not be in the weights file: indexes, masks, a new classification layer.
SPARE = 2**22
MAKERS = {
    *(
        "aten::empty",
        "aten::zeros",
        "aten::ones",
        "aten::full",
        "aten::rand",
        "aten::randn",
        "aten::eye",
    ),
    *("aten::arange", "aten::linspace", "aten::logspace", "aten::randint", "aten::randperm"),
    *(
        "aten::empty_strided",
        "aten::tri",
        "aten::new_empty",
        "aten::new_zeros",
        "aten::new_full",
        "aten::repeat",
    ),
    *("aten::normal", "aten::new_ones", "aten::expand_copy", "aten::constant_pad_nd"),
}


class TensorSizeLimit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context that refuses to allocate many more numbers than the weights file can contain.

    Sizes in a configuration are only claims: a network of a terabyte is refused before its memory is
    allocated.

    Args:
        what: The file, for messages.
        size: Size of its weights in bytes.
    """

    def __init__(self, what: str, size: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.what, self.left = what, size + SPARE

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        name: str = func._schema.name
        if name in MAKERS:
            for value in (*args, *(kwargs or {}).values()):
                if isinstance(value, list | tuple) and all(isinstance(n, int) for n in value):
                    self._take(prod(max(n, 1) for n in value))
                elif isinstance(value, int):
                    self._take(abs(value))
        return func(*args, **(kwargs or {}))

    def _take(self, numbers: int) -> None:
        """Subtract numbers from the remaining budget."""
        self.left -= numbers
        if self.left < 0:
            raise InputError(
                f"{self.what} describes a network with many more parameters than its weights file, and is "
                "not built."
            )
