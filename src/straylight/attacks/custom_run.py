"""Run a user's own attack, checking each perturbation that it yields."""

from collections.abc import Iterator
from operator import index

import torch

from straylight.attacks.ball import ROUNDING, Ball
from straylight.attacks.custom import class_name, describe_error
from straylight.attacks.protocol import Attack, Snapshot
from straylight.core.checks import describe_value
from straylight.core.errors import InputError, quote_text
from straylight.data.images import CopiedImages, ImageSet
from straylight.models.classifier import Classifier


def count_planned(attack: Attack, n_photographs: int, n_classes: int, cost: int) -> int:
    """Return how many photographs a user's own attack will have looked at.

    Raises:
        InputError: If its `planned` raises, or does not return a whole number.
    """
    name = class_name(attack)
    try:
        found: object = attack.planned(n_photographs, n_classes, cost)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{name}.planned raised {describe_error(error)}.") from error
    n = _parse_count(found)
    if n < 0:
        raise InputError(
            f"{name}.planned must return a whole number of photographs, not {describe_value(found)}."
        )
    return n


def run_checked(
    attack: Attack,
    classifier: Classifier,
    photographs: ImageSet,
    ball: Ball,
    *,
    target: int | None,
    generator: torch.Generator,
) -> Iterator[Snapshot]:
    """Yield the snapshots of a user's own attack, each checked.

    The attack gets copies of the photographs, so that no later attack sees what it writes into them.

    Raises:
        InputError: If it raises, yields nothing or something that is not a perturbation inside the ball,
            or changes the classifier.
    """
    name, before, seen, last = class_name(attack), _classifier_state(classifier), 0, None
    copies = CopiedImages(photographs)
    try:
        made = iter(attack(classifier, copies, ball, target=target, generator=generator))
        for found in made:
            last = _check_snapshot(name, found, photographs, ball, seen)
            seen = last.images_seen
            yield last
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{name} raised {describe_error(error)}: fix it and run again; the finished perturbations "
            "are kept."
        ) from error
    if last is None:
        raise InputError(f"{name} made no perturbation: it must yield at least one Snapshot.")
    if _classifier_state(classifier) != before:
        raise InputError(f"{name} changed the classifier: an attack may only query it.")


def _classifier_state(classifier: Classifier) -> tuple[str, tuple[bool, ...]]:
    """Return what an attack must not change: the weights, and the modes of the layers."""
    return classifier.sha256, tuple(layer.training for layer in classifier.modules())


def _check_snapshot(
    name: str, found: object, photographs: ImageSet, ball: Ball, before: int
) -> Snapshot:
    """Check a snapshot, and return it as float32 in memory of its own, finite and inside the ball."""
    if not isinstance(found, tuple) or len(found) != 2:
        raise InputError(
            f"{name} yielded a {quote_text(type(found).__name__, 40)}: an attack yields "
            "Snapshot(delta, images_seen)."
        )
    delta, seen = found
    wanted = (1, *photographs.shape)
    if not isinstance(delta, torch.Tensor) or tuple(delta.shape) != wanted:
        given = tuple(getattr(delta, "shape", ())) or quote_text(type(delta).__name__, 40)
        raise InputError(f"{name} yielded a perturbation of shape {given}, not a tensor {wanted}.")
    if not delta.is_floating_point():
        raise InputError(f"{name} yielded a perturbation of {delta.dtype}, not of float32.")
    n_seen = _parse_count(seen)
    if n_seen < before:
        raise InputError(
            f"{name} yielded images_seen={describe_value(seen)} after {before}: it counts the "
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


def _parse_count(value: object) -> int:
    """Return a whole number of any type, or -1 if it is not one, or too large to be recorded."""
    try:
        found = -1 if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        return -1
    return found if found < 2**63 else -1
