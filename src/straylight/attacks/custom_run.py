"""The run of an attack of a user's own: each perturbation that it yields is checked."""

from collections.abc import Iterator
from operator import index

import torch

from straylight.attacks.ball import ROUNDING, Ball
from straylight.attacks.custom import class_name, raised
from straylight.attacks.protocol import Attack, Snapshot
from straylight.core.checks import said
from straylight.core.errors import InputError, quoted
from straylight.data.images import CopiedImages, ImageSet
from straylight.models.classifier import Classifier


def planned_by(attack: Attack, n_photographs: int, n_classes: int, cost: int) -> int:
    """Return how many photographs an attack of a user's own will have looked at.

    Raises:
        InputError: If it raises, or does not say so in a whole number.
    """
    name = class_name(attack)
    try:
        found: object = attack.planned(n_photographs, n_classes, cost)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{name}.planned raised {raised(error)}.") from error
    n = _count(found)
    if n < 0:
        raise InputError(
            f"{name}.planned must return a whole number of photographs, not {said(found)}."
        )
    return n


def watched(
    attack: Attack,
    classifier: Classifier,
    photographs: ImageSet,
    ball: Ball,
    *,
    target: int | None,
    generator: torch.Generator,
) -> Iterator[Snapshot]:
    """Yield the snapshots of an attack of a user's own, each checked.

    It looks at copies of the photographs: what it writes into them no later attack meets.

    Raises:
        InputError: If it raises, yields nothing or something that is no perturbation inside the ball, or
            changes the classifier.
    """
    name, before, seen, last = class_name(attack), _state(classifier), 0, None
    copies = CopiedImages(photographs)
    try:
        made = iter(attack(classifier, copies, ball, target=target, generator=generator))
        for found in made:
            last = _checked(name, found, photographs, ball, seen)
            seen = last.images_seen
            yield last
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{name} raised {raised(error)}: mend it; what is finished of the audit is kept."
        ) from error
    if last is None:
        raise InputError(f"{name} made no perturbation: it must yield at least one Snapshot.")
    if _state(classifier) != before:
        raise InputError(f"{name} changed the classifier: an attack may only ask it.")


def _state(classifier: Classifier) -> tuple[str, tuple[bool, ...]]:
    """Return what an attack must leave as it is: the weights, and the modes of the layers."""
    return classifier.sha256, tuple(layer.training for layer in classifier.modules())


def _checked(name: str, found: object, photographs: ImageSet, ball: Ball, before: int) -> Snapshot:
    """Return a snapshot that can be scored: float32, in memory of its own, finite, inside the ball."""
    if not isinstance(found, tuple) or len(found) != 2:
        raise InputError(
            f"{name} yielded a {quoted(type(found).__name__, 40)}: an attack yields "
            "Snapshot(delta, images_seen)."
        )
    delta, seen = found
    wanted = (1, *photographs.shape)
    if not isinstance(delta, torch.Tensor) or tuple(delta.shape) != wanted:
        given = tuple(getattr(delta, "shape", ())) or quoted(type(delta).__name__, 40)
        raise InputError(f"{name} yielded a perturbation of shape {given}, not a tensor {wanted}.")
    if not delta.is_floating_point():
        raise InputError(f"{name} yielded a perturbation of {delta.dtype}, not of float32.")
    n_seen = _count(seen)
    if n_seen < before:
        raise InputError(
            f"{name} yielded images_seen={said(seen)} after {before}: it counts the "
            "photographs looked at so far, a whole number that never falls."
        )
    delta = delta.detach().to("cpu", torch.float32, copy=True).contiguous()
    if not bool(delta.isfinite().all()):
        raise InputError(f"{name} yielded a perturbation with NaN or infinite entries.")
    if ball.size(delta) > ball.eps * ROUNDING:
        raise InputError(
            f"{name} yielded a perturbation of size {ball.size(delta):.6g}, the {ball.norm} budget is "
            f"{ball.eps:.6g}: bring it inside with ball.project(delta)."
        )
    return Snapshot(delta, n_seen)


def _count(value: object) -> int:
    """Return a whole number of any type, or -1 of what is none, or is too large to be recorded."""
    try:
        found = -1 if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        return -1
    return found if found < 2**63 else -1
