"""The pictures of the page: perturbation, control, photographs, and medical images if kept."""

from dataclasses import dataclass
from pathlib import Path

from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.audit.sections import ExamplesInfo
from straylight.core.conventions import Shape
from straylight.core.errors import InputError, quote_text
from straylight.report.effort import image_kind
from straylight.report.pictures import (
    Picture,
    draw_attacked_image,
    draw_perturbation,
    draw_stored_image,
    load_perturbation,
    model_shape,
    pixels_to_images,
    read_stored_images,
)
from straylight.report.tables import format_proportion
from straylight.report.verdict import Verdict


@dataclass(frozen=True)
class MedicalExample:
    """One medical image without and with the perturbation, and its predictions."""

    clean: Picture
    attacked: Picture
    label: str
    before: str
    under: str


@dataclass(frozen=True)
class ComparedPerturbation:
    """A picture of a perturbation, with its name and fooling rate."""

    picture: Picture
    name: str
    rate: str


@dataclass(frozen=True)
class Gallery:
    """The pictures: perturbations side by side, some photographs, and medical images if kept."""

    shown: ComparedPerturbation
    compared: tuple[ComparedPerturbation, ...]
    examples: tuple[MedicalExample, ...]
    photographs: tuple[Picture, ...]
    noun: str
    adapted: tuple[Picture, ...]


def make_gallery(audit: Audit, verdict: Verdict, folder: Path, factor: int) -> Gallery:
    """Draw the strongest attack beside its controls, and the images that the audit kept."""
    shape = model_shape(audit)
    kept = audit.cohort.examples
    attack = verdict.strongest if kept is None else _find_perturbation(audit, kept.perturbation)
    beside = (verdict.strongest, verdict.copy, verdict.noise)
    adapted = audit.natural.adapted
    return Gallery(
        shown=_draw_compared_perturbation(attack, folder, shape, factor),
        compared=tuple(
            _draw_compared_perturbation(item, folder, shape, factor) for item in beside if item
        ),
        examples=() if kept is None else _draw_medical_examples(kept, attack, folder, shape),
        photographs=_draw_photographs(
            folder / audit.natural.examples, shape, "Photograph", audit.natural.examples_sha256
        ),
        noun="drawings" if image_kind(audit.natural) == "drawings" else "photographs",
        adapted=()
        if adapted is None
        else _draw_photographs(
            folder / adapted.examples,
            shape,
            "Adapted photograph",
            adapted.examples_sha256,
        ),
    )


def _draw_photographs(file: Path, shape: Shape, name: str, sha256: str) -> tuple[Picture, ...]:
    """Draw the photographs in a file."""
    pixels = read_stored_images(file, shape, sha256)
    return tuple(
        draw_stored_image(pixels[i : i + 1], f"{name} {i + 1}") for i in range(len(pixels))
    )


def _draw_compared_perturbation(
    item: Perturbation, folder: Path, shape: Shape, factor: int
) -> ComparedPerturbation:
    """Draw a perturbation, amplified."""
    delta = load_perturbation(item, folder, shape)
    picture = draw_perturbation(delta, factor, f"Perturbation {item.name}, amplified")
    return ComparedPerturbation(picture, item.name, format_proportion(item.score.fooled))


def _find_perturbation(audit: Audit, name: str) -> Perturbation:
    """Return the perturbation of that name."""
    for item in audit.perturbations:
        if item.name == name:
            return item
    raise InputError(
        f"the audit keeps examples of '{quote_text(name)}', but has no such perturbation: run it again."
    )


def _draw_medical_examples(
    kept: ExamplesInfo, attack: Perturbation, folder: Path, shape: Shape
) -> tuple[MedicalExample, ...]:
    """Draw the kept medical images; those whose prediction turns from right to wrong come first."""
    pixels = read_stored_images(folder / kept.file, shape, kept.sha256)
    delta = load_perturbation(attack, folder, shape)
    columns = [kept.labels, kept.clean, kept.attacked]
    if {len(column) for column in columns} != {len(pixels)}:
        raise InputError(
            f"{folder / kept.file} holds {len(pixels)} images, which is not what the audit "
            "describes: run the audit again."
        )
    examples = [
        MedicalExample(
            draw_stored_image(pixels[i : i + 1], f"Medical image {i + 1}, class {label}"),
            draw_attacked_image(
                pixels_to_images(pixels[i : i + 1]), delta, f"Medical image {i + 1} under attack"
            ),
            label,
            before,
            under,
        )
        for i, (label, before, under) in enumerate(zip(*columns, strict=True))
    ]
    return tuple(sorted(examples, key=lambda e: (e.before != e.label, e.under == e.before)))
