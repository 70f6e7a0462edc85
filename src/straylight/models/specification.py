"""What a classifier is told of its images and classes, as plain checked values.

Lists, tuples, arrays and tensors are taken alike, and one number for all channels.
"""

import json
import operator
from collections import Counter
from collections.abc import Iterable
from typing import Any

from straylight.core.checks import can_be_written
from straylight.core.errors import InputError, listed, quoted, reason_of
from straylight.core.limits import LARGEST_SIDE
from straylight.core.strict_json import parse_json
from straylight.core.tensors import Shape

CHANNELS = (1, 3)
DEEPEST = 4  # axes of a tensor of numbers
MOST_CLASSES, LONGEST_NAME = 65_536, 1000
LARGEST = 1e30  # far above any level of an image, and still a float32

Numbers = tuple[float, ...]


def plain_shape(shape: object) -> Shape:
    """Return channels, height and width.

    >>> plain_shape([3, 64, 64])
    (3, 64, 64)

    Raises:
        InputError: If they are not three sizes that a classifier's images have.
    """
    try:
        channels, height, width = map(operator.index, as_list(shape))
    except (TypeError, ValueError):
        raise InputError(
            f"the shape of a classifier's images is (channels, height, width), not {quoted(shape)}."
        ) from None
    if channels not in CHANNELS:
        raise InputError(f"a classifier takes 1 or 3 channels, not {channels}.")
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise InputError(
            f"a classifier takes images of 1 to {LARGEST_SIDE} pixels a side, not {height} x {width}."
        )
    return channels, height, width


def plain_names(names: object) -> tuple[str, ...]:
    """Return the names of classes as strings, each another; none if there are none.

    >>> plain_names(["benign", "malignant"])
    ('benign', 'malignant')

    Raises:
        InputError: If they are something else.
    """
    every = [names] if isinstance(names, str) else as_list(names)
    if len(every) > MOST_CLASSES:
        raise InputError(f"a classifier has at most {MOST_CLASSES:,} classes, not {len(every):,}.")
    for name in every:
        if not isinstance(name, str) or not name.strip():
            raise InputError(
                f"the classes (class_names, --classes) need a name each, not {quoted(repr(name), 40)}."
            )
        if len(name) > LONGEST_NAME or not can_be_written(name):
            raise InputError(
                f"the class '{quoted(name, 40)}' cannot be recorded: names of classes have at most "
                f"{LONGEST_NAME} characters, and no control or half characters among them."
            )
    twice = sorted(str(name) for name, n in Counter(every).items() if n > 1)
    if twice:
        raise InputError(
            f"the classes (class_names, --classes) have the name {listed(twice)} more than once: "
            "labels could not tell them apart."
        )
    return tuple(map(str, every))


def plain_numbers(value: object, what: str) -> Numbers:
    """Return numbers, one or one for each channel.

    >>> plain_numbers(0.5, "mean"), plain_numbers([0.4, 0.5, 0.6], "mean")
    ((0.5,), (0.4, 0.5, 0.6))

    Raises:
        InputError: If they are something else, or not finite.
    """
    numbers = as_list(value)
    for _ in range(DEEPEST):  # of shape (3, 1, 1) or (1, 3, 1, 1)
        if len(numbers) == 1 and isinstance(numbers[0], list):
            numbers = numbers[0]
        elif numbers and all(isinstance(part, list) and len(part) == 1 for part in numbers):
            numbers = [number for (number,) in numbers]
    for number in numbers:
        if type(number) not in (int, float) or not abs(number) < LARGEST:
            raise InputError(
                f"{what} (--{what}) needs finite numbers, one for each channel, not "
                f"{quoted(repr(number), 40)}."
            )
    return tuple(map(float, numbers))


def plain_normalisation(mean: object, std: object, channels: int) -> tuple[Numbers, Numbers]:
    """Return mean and standard deviation, one number for each channel of the network.

    A network of grey images has one channel if both are one number; one number stands for all of three.

    >>> plain_normalisation(0.5, [0.25], 3), plain_normalisation(0.5, 0.25, 1)
    (((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)), ((0.5,), (0.25,)))

    Raises:
        InputError: If there are other counts, or a deviation that is not above 0.
    """
    means, stds = plain_numbers(mean, "mean"), plain_numbers(std, "std")
    if len(means) not in CHANNELS or len(stds) not in CHANNELS:
        raise InputError(
            f"mean and std (--mean, --std) have {len(means)} and {len(stds)} numbers: one number is needed "
            "for grey images, or three for RGB."
        )
    if not all(deviation > 0 for deviation in stds):
        raise InputError(
            f"std (--std) is what images are divided by, so with std > 0, not {listed(stds)}."
        )
    n = max(channels, len(means), len(stds))
    return spread(means, n), spread(stds, n)


def spread(numbers: Numbers, n: int) -> Numbers:
    """Repeat one number for each of `n` channels."""
    return numbers * n if len(numbers) == 1 else numbers


def as_list(value: Any) -> list[Any]:  # noqa: ANN401
    """Return any kind of row as a list: of arrays and tensors, by their own method.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        plain = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(plain, str | bytes) or not isinstance(plain, Iterable):
            return [plain]
        return [item.tolist() if hasattr(item, "tolist") else item for item in plain]
    except Exception as error:
        # Arrays of other libraries raise their own kinds.
        raise InputError(
            f"{type(value).__name__} is no list of values: {reason_of(error)}."
        ) from None


def misfit(said: str, n_outputs: int, class_names: tuple[str, ...], *, hint: bool = True) -> str:
    """Return the sentence about a network whose outputs are not as many as its classes."""
    outputs = "1 output" if n_outputs == 1 else f"{n_outputs} outputs"
    way = (
        " Give straylight.models.outputs.Head(network, 'one-logit') in its place, or "
        "'one-probability' if it ends in a sigmoid."
    )
    named = "1 class is" if len(class_names) == 1 else f"{len(class_names)} classes are"
    return (
        f"{said} has {outputs}, but {named} named: {listed(class_names)}."
        f"{way if hint and (n_outputs, len(class_names)) == (1, 2) else ''}"
    )


def plain_card(card: dict[str, Any] | None, notes: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy of a card, with what must be known of the network.

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
            f"the card of a classifier must be plain data that JSON can hold: {reason_of(error)}."
        ) from error
    return found
