"""Validate a classifier's image shape, class names, normalisation and card.

Lists, tuples, arrays and tensors are all accepted, and one number stands for all channels.
"""

import json
import operator
from collections import Counter
from collections.abc import Iterable
from typing import Any

from straylight.core.checks import is_plain_text
from straylight.core.conventions import Shape
from straylight.core.errors import InputError, join_names, quote_text, reason_of
from straylight.core.limits import LARGEST_SIDE
from straylight.core.strict_json import parse_json

CHANNELS = (1, 3)
MOST_AXES = 4  # axes of a tensor of channel values
MOST_CLASSES, LONGEST_NAME = 65_536, 1000
LARGEST_VALUE = 1e30  # far above any pixel value, and still a float32

Numbers = tuple[float, ...]


def parse_image_shape(shape: object) -> Shape:
    """Parse an image shape: channels, height and width.

    >>> parse_image_shape([3, 64, 64])
    (3, 64, 64)

    Raises:
        InputError: If it is not a valid image shape.
    """
    try:
        channels, height, width = map(operator.index, as_list(shape))
    except (TypeError, ValueError):
        raise InputError(
            f"the shape of a classifier's images is (channels, height, width), not {quote_text(shape)}."
        ) from None
    if channels not in CHANNELS:
        raise InputError(f"a classifier takes 1 or 3 channels, not {channels}.")
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise InputError(
            f"a classifier takes images of 1 to {LARGEST_SIDE} pixels a side, not {height} x {width}."
        )
    return channels, height, width


def parse_class_names(names: object) -> tuple[str, ...]:
    """Parse class names: distinct strings, or an empty tuple.

    >>> parse_class_names(["benign", "malignant"])
    ('benign', 'malignant')

    Raises:
        InputError: If they are not valid class names.
    """
    every = [names] if isinstance(names, str) else as_list(names)
    if len(every) > MOST_CLASSES:
        raise InputError(f"a classifier has at most {MOST_CLASSES:,} classes, not {len(every):,}.")
    for name in every:
        if not isinstance(name, str) or not name.strip():
            raise InputError(
                f"each class (class_names, --classes) needs a name, not {quote_text(repr(name), 40)}."
            )
        if len(name) > LONGEST_NAME or not is_plain_text(name):
            raise InputError(
                f"the class '{quote_text(name, 40)}' cannot be recorded: class names have at most "
                f"{LONGEST_NAME} characters, without control characters or lone surrogates."
            )
    twice = sorted(str(name) for name, n in Counter(every).items() if n > 1)
    if twice:
        raise InputError(
            f"the classes (class_names, --classes) have the name {join_names(twice)} more than once: give "
            "each class its own name."
        )
    return tuple(map(str, every))


def parse_channel_values(value: object, what: str) -> Numbers:
    """Parse one number, or one number for each channel.

    >>> parse_channel_values(0.5, "mean"), parse_channel_values([0.4, 0.5, 0.6], "mean")
    ((0.5,), (0.4, 0.5, 0.6))

    Raises:
        InputError: If they are not finite numbers.
    """
    numbers = as_list(value)
    for _ in range(MOST_AXES):  # of shape (3, 1, 1) or (1, 3, 1, 1)
        if len(numbers) == 1 and isinstance(numbers[0], list):
            numbers = numbers[0]
        elif numbers and all(isinstance(part, list) and len(part) == 1 for part in numbers):
            numbers = [number for (number,) in numbers]
    for number in numbers:
        if type(number) not in (int, float) or not abs(number) < LARGEST_VALUE:
            raise InputError(
                f"{what} (--{what}) needs finite numbers, one for each channel, not "
                f"{quote_text(repr(number), 40)}."
            )
    return tuple(map(float, numbers))


def parse_normalisation(mean: object, std: object, channels: int) -> tuple[Numbers, Numbers]:
    """Parse mean and standard deviation: one number for each channel of the network.

    If the images are grey and both are one number, the network has one channel; otherwise one number stands
    for all three.

    >>> parse_normalisation(0.5, [0.25], 3), parse_normalisation(0.5, 0.25, 1)
    (((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)), ((0.5,), (0.25,)))

    Raises:
        InputError: If there are not 1 or 3 numbers each, or a standard deviation is not above 0.
    """
    means, stds = parse_channel_values(mean, "mean"), parse_channel_values(std, "std")
    if len(means) not in CHANNELS or len(stds) not in CHANNELS:
        raise InputError(
            f"mean and std (--mean, --std) have {len(means)} and {len(stds)} numbers: one number is needed "
            "for grey images, or three for RGB."
        )
    if not all(deviation > 0 for deviation in stds):
        raise InputError(
            f"images are divided by std (--std), so std > 0 is needed, not {join_names(stds)}."
        )
    n = max(channels, len(means), len(stds))
    return _repeat_per_channel(means, n), _repeat_per_channel(stds, n)


def _repeat_per_channel(numbers: Numbers, n: int) -> Numbers:
    """Repeat one number for each of `n` channels."""
    return numbers * n if len(numbers) == 1 else numbers


def as_list(value: Any) -> list[Any]:  # noqa: ANN401
    """Return any sequence of values as a list, including arrays and tensors.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        plain = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(plain, str | bytes) or not isinstance(plain, Iterable):
            return [plain]
        return [item.tolist() if hasattr(item, "tolist") else item for item in plain]
    except Exception as error:
        # Arrays of other libraries raise exceptions of their own.
        raise InputError(
            f"{type(value).__name__} is not a list of values: {reason_of(error)}."
        ) from None


def describe_class_mismatch(
    model_name: str, n_outputs: int, class_names: tuple[str, ...], *, hint: bool = True
) -> str:
    """Return the error message for a network whose number of outputs does not match its class names."""
    outputs = "1 output" if n_outputs == 1 else f"{n_outputs} outputs"
    way = (
        " Wrap it: straylight.models.outputs.ToLogits(network, 'one-logit'), or 'one-probability' if it "
        "ends in a sigmoid."
    )
    named = "1 class is" if len(class_names) == 1 else f"{len(class_names)} classes are"
    return (
        f"{model_name} has {outputs}, but {named} named: {join_names(class_names)}."
        f"{way if hint and (n_outputs, len(class_names)) == (1, 2) else ''}"
    )


def copy_card(card: dict[str, Any] | None, notes: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy of a card with `notes` appended to its notes.

    Raises:
        InputError: If it cannot be written as JSON.
    """
    try:
        found = dict(card or {})
        if notes:
            found["notes"] = [*found.get("notes", ()), *notes]
        parse_json(json.dumps(found))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"a classifier's card must be plain data that JSON can hold: {reason_of(error)}."
        ) from error
    return found
