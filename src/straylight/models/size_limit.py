"""A limit for the numbers that a constructor may make."""

from math import prod
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from straylight.core.errors import InputError

SPARE = 2**22  # numbers that need not be in the weights file: indexes, masks, a new head
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


class Budget(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses to make tensors of many more numbers in all than a weights file has bytes for.

    Sizes in a configuration are only claims: a network of a terabyte is refused before its memory is asked
    for.

    Args:
        what: The file, for messages.
        size: Bytes of its weights.
    """

    def __init__(self, what: str, size: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.what, self.left = what, size + SPARE

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        name: str = func._schema.name
        if name in MAKERS:
            for value in (*args, *(kwargs or {}).values()):
                if isinstance(value, list | tuple) and all(isinstance(n, int) for n in value):
                    self.take(prod(max(n, 1) for n in value))
                elif isinstance(value, int):
                    self.take(abs(value))
        return func(*args, **(kwargs or {}))

    def take(self, numbers: int) -> None:
        """Take numbers from what is left."""
        self.left -= numbers
        if self.left < 0:
            raise InputError(
                f"{self.what} describes a network of many more numbers than its weights have, and is "
                "not built."
            )
