"""The images and the effort behind an attack, and warnings if it ran with less than usual."""

from math import prod
from typing import Any

from straylight.attacks.catalogue import ATTACKS
from straylight.audit.perturbation import Perturbation
from straylight.audit.results import Audit
from straylight.audit.schema import Json
from straylight.audit.sections import NaturalInfo
from straylight.data.photographs.builtin import DRAWING_SPECS, PHOTO_FILES, PHOTOS
from straylight.report.tables import format_count, format_quantity, isolate_direction

FEW_PHOTOGRAPHS = 100  # a tenth of the usual thousand
OLD_NAMES = {"image_passes": "passes", "epochs": "passes"}  # of settings in older audits


def image_kind(natural: NaturalInfo) -> str:
    """Return the kind of the images; for an older audit, infer it from their source."""
    if natural.kind is not None:
        return natural.kind
    return {PHOTOS: "crops"}.get(natural.spec) or (
        "drawings" if natural.spec in DRAWING_SPECS else "photographs"
    )


def describe_images(natural: NaturalInfo, seen: str = "") -> str:
    """Describe the kind and number of images; `seen` is a prefix such as ``"20 of "``."""
    kind, n, distinct = image_kind(natural), natural.n, natural.n_distinct
    if kind == "crops":
        distinct = distinct or min(n, len(PHOTO_FILES))
        return f"{seen}{format_quantity(n, 'crop')} of {format_quantity(distinct, 'photograph')}"
    images = f"{seen}{format_quantity(n, kind.removesuffix('s'))}"
    return (
        images if distinct in (None, n) else f"{images} ({format_count(distinct or 0)} different)"
    )


def describe_training_images(audit: Audit, item: Perturbation) -> str:
    """Describe what a perturbation was made from, with the number of images that it looked at."""
    if item.threat_model == "T0" or item.source is None:
        return "without any model"
    natural, adapted = audit.natural, audit.natural.adapted
    total = adapted.n if item.source == "adapted" and adapted is not None else natural.n
    most = item.n_distinct_seen is None
    n_seen = item.images_seen if item.n_distinct_seen is None else item.n_distinct_seen
    seen = "" if n_seen >= total else f"{'at most ' * most}{format_count(n_seen)} of "
    if item.source == "medical":
        return "from medical images"
    if item.source == "adapted" and adapted is not None:
        return f"from {seen}{format_quantity(total, 'adapted view')} of {describe_images(natural)}"
    return f"from {describe_images(natural, seen)}"


def describe_images_seen(audit: Audit, item: Perturbation) -> str:
    """Describe where the images came from, and how often they were looked at."""
    images = describe_training_images(audit, item).removeprefix("from ")
    return (
        f"{isolate_direction(audit.natural.spec)}: {images}, looked at "
        f"{format_count(item.images_seen)} times in all"
    )


def weak_run_warnings(audit: Audit) -> tuple[str, ...]:
    """Return warnings about attacks with less than half of the usual effort, or with few photographs."""
    warnings = []
    for item in audit.of_role("attack"):
        entry = ATTACKS.get(item.method.name)
        if item.method.is_custom or entry is None or not entry.effort:
            continue
        usual = entry.effort
        settings = {key: _recorded_setting(item.method.settings, key) for key in usual}
        work = _work_amount(settings)
        if work is not None and 2 * work < prod(usual.values()):
            what = " and ".join(f"{key} {format_count(settings[key])}" for key in usual)
            full = " and ".join(map(format_count, usual.values()))
            warnings.append(
                f"{isolate_direction(item.name)} ran with {what.replace('_', ' ')}, where {full} are "
                "usual: in full strength it may do more."
            )
    natural = audit.natural
    n = natural.n if image_kind(natural) == "crops" else natural.n_distinct or natural.n
    if n < FEW_PHOTOGRAPHS:
        warnings.append(
            f"The attacks were made from {describe_images(natural)}, where 1,000 are usual: with more "
            "they may do more."
        )
    return tuple(warnings)


def _recorded_setting(settings: Json, key: str) -> Any:  # noqa: ANN401 (of a file)
    """Return a setting of an attack, also from an audit that has it by its older name."""
    return settings.get(key, settings.get(OLD_NAMES.get(key, key)))


def _work_amount(settings: Json) -> int | None:
    """Return the product of settings, unless one is missing or not a whole number."""
    values = settings.values()
    return prod(values) if all(type(value) is int for value in values) else None
