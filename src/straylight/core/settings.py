"""Settings on the command line: ``NAME=VALUE,NAME=VALUE`` for the fields of a frozen dataclass."""

from typing import TypeVar

from straylight.core.errors import InputError, quote_text

T = TypeVar("T")
LARGEST = 2**53  # of any number
TOO_LARGE = "too large"


def parse_settings(make: type[T], name: str, text: str) -> T:
    """Parse settings into a dataclass of numbers and words; omitted fields keep their defaults.

    Args:
        make: The dataclass; each field has a default.
        name: Name of the setting for messages.
        text: ``FIELD=VALUE,FIELD=VALUE``, or empty.

    Raises:
        InputError: If a field does not exist, or a value has the wrong type.
    """
    types: dict[str, type[int | float | str]] = {key: type(v) for key, v in vars(make()).items()}
    values: dict[str, int | float | str] = {}
    for pair in filter(None, text.split(",")):
        key, _, value = pair.partition("=")
        if key not in types:
            raise InputError(
                f"{name} has no setting '{quote_text(key)}': it has {', '.join(types)}."
            )
        if key in values:
            raise InputError(f"{name} has the setting '{key}' twice: give it once.")
        try:
            made = types[key](value)
            if isinstance(made, int | float) and not abs(made) <= LARGEST:  # NaN is not either
                raise ValueError(TOO_LARGE if abs(made) > LARGEST else "NaN")
            values[key] = made
        except ValueError as error:
            kind = "a whole number" if types[key] is int else "a number"
            most = f" of at most {LARGEST}" * (error.args == (TOO_LARGE,))
            raise InputError(
                f"{name}:{key} must be {kind}{most}, not '{quote_text(value, 40)}'."
            ) from None
    return make(**values)
