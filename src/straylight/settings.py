"""Settings as a user types them: ``NAME=VALUE,NAME=VALUE`` for the fields of a frozen dataclass."""

from typing import TypeVar

from straylight.errors import InputError, quoted

T = TypeVar("T")
LARGEST = 2**53  # of a number: no setting is larger


def parse_settings(make: type[T], name: str, text: str) -> T:
    """Make a dataclass whose fields are numbers or words; those not named keep their defaults.

    Args:
        make: The dataclass; each field has a default.
        name: What the user calls it.
        text: ``FIELD=VALUE,FIELD=VALUE``, or nothing.

    Raises:
        InputError: If there is no such field, or the value is not of its kind.
    """
    types: dict[str, type[int | float | str]] = {key: type(v) for key, v in vars(make()).items()}
    values: dict[str, int | float | str] = {}
    for pair in filter(None, text.split(",")):
        key, _, value = pair.partition("=")
        if key not in types:
            raise InputError(f"{name} has no setting '{quoted(key)}': it has {', '.join(types)}.")
        if key in values:
            raise InputError(f"{name} has the setting '{key}' twice: give it once.")
        try:
            made = types[key](value)
            if isinstance(made, int | float) and not abs(made) <= LARGEST:  # NaN is not either
                raise ValueError
            values[key] = made
        except ValueError:
            kind = "a whole number" if types[key] is int else "a number"
            raise InputError(f"{name}:{key} must be {kind}, not '{quoted(value)}'.") from None
    return make(**values)
