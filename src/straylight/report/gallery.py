"""The pictures of the page: perturbation, control, photographs, and medical images if kept."""

from dataclasses import dataclass
from pathlib import Path

from straylight.audit.results import Audit, Perturbation
from straylight.audit.schema import Json
from straylight.core.errors import InputError, quoted
from straylight.core.tensors import Shape, from_pixels
from straylight.report.effort import kind_of
from straylight.report.figures import (
    Picture,
    draw_attacked,
    draw_delta,
    draw_pixels,
    read_perturbation,
    read_pixels,
    shape_of,
)
from straylight.report.tables import share
from straylight.report.verdict import Verdict


@dataclass(frozen=True)
class Example:
    """One medical image, without and with the perturbation."""

    clean: Picture
    attacked: Picture
    label: str
    before: str
    under: str


@dataclass(frozen=True)
class Compared:
    """The picture of a perturbation, with its name and fooling rate."""

    picture: Picture
    name: str
    rate: str


@dataclass(frozen=True)
class Pictures:
    """Perturbations side by side, some photographs, and medical images if they were kept."""

    shown: Compared
    compared: tuple[Compared, ...]
    examples: tuple[Example, ...]
    photographs: tuple[Picture, ...]
    noun: str
    adapted: tuple[Picture, ...]


def make_pictures(audit: Audit, verdict: Verdict, folder: Path, factor: int) -> Pictures:
    """Draw the strongest attack beside controls, and examples of what was kept."""
    shape = shape_of(audit)
    kept = audit.cohort.examples
    attack = verdict.strongest if kept is None else find(audit, kept["perturbation"])
    beside = (verdict.strongest, verdict.copy, verdict.noise)
    adapted = audit.natural.adapted
    return Pictures(
        shown=draw_compared(attack, folder, shape, factor),
        compared=tuple(draw_compared(item, folder, shape, factor) for item in beside if item),
        examples=() if kept is None else draw_examples(kept, attack, folder, shape),
        photographs=draw_photographs(
            folder / audit.natural.examples, shape, "Photograph", audit.natural.examples_sha256
        ),
        noun="drawings" if kind_of(audit.natural) == "drawings" else "photographs",
        adapted=()
        if adapted is None
        else draw_photographs(
            folder / adapted["examples"],
            shape,
            "Adapted photograph",
            adapted.get("examples_sha256", ""),
        ),
    )


def draw_photographs(file: Path, shape: Shape, name: str, sha256: str) -> tuple[Picture, ...]:
    """Draw the photographs that were kept in a file."""
    pixels = read_pixels(file, shape, sha256)
    return tuple(draw_pixels(pixels[i : i + 1], f"{name} {i + 1}") for i in range(len(pixels)))


def draw_compared(item: Perturbation, folder: Path, shape: Shape, factor: int) -> Compared:
    """Draw a perturbation, amplified."""
    delta = read_perturbation(item, folder, shape)
    picture = draw_delta(delta, factor, f"Perturbation {item.name}, amplified")
    return Compared(picture, item.name, share(item.score.fooled))


def find(audit: Audit, name: str) -> Perturbation:
    """Return the perturbation of that name."""
    for item in audit.perturbations:
        if item.name == name:
            return item
    raise InputError(
        f"the audit shows examples of '{quoted(name)}', which it does not hold: run it again."
    )


def draw_examples(
    kept: Json, attack: Perturbation, folder: Path, shape: Shape
) -> tuple[Example, ...]:
    """Draw the kept medical images, those whose prediction turns from right to wrong first."""
    pixels = read_pixels(folder / kept["file"], shape, kept.get("sha256", ""))
    delta = read_perturbation(attack, folder, shape)
    columns = [kept[name] for name in ("labels", "clean", "attacked")]
    if {len(column) for column in columns} != {len(pixels)}:
        raise InputError(
            f"{folder / kept['file']} holds {len(pixels)} images, which is not what the audit "
            "describes: run the audit again."
        )
    examples = [
        Example(
            draw_pixels(pixels[i : i + 1], f"Medical image {i + 1}, class {label}"),
            draw_attacked(
                from_pixels(pixels[i : i + 1]), delta, f"Medical image {i + 1} under attack"
            ),
            label,
            before,
            under,
        )
        for i, (label, before, under) in enumerate(zip(*columns, strict=True))
    ]
    return tuple(sorted(examples, key=lambda e: (e.before != e.label, e.under == e.before)))
