"""What the attacks learned on, and whether they ran as long as they usually do."""

from math import prod

from straylight.attacks.catalogue import ATTACKS
from straylight.attacks.methods import describe
from straylight.audit.results import Audit, NaturalInfo, Perturbation
from straylight.audit.schema import Json
from straylight.data.photographs.drawings import DRAWINGS
from straylight.data.photographs.load import PHOTO_FILES, PHOTOS
from straylight.report.tables import counted, isolated, number

FEW = 100  # photographs: a tenth of the usual thousand
WORK = (
    ("passes",),
    ("epochs",),
    ("steps", "batch_size"),
)  # settings that say how long an attack runs


def kind_of(natural: NaturalInfo) -> str:
    """Return what the images are, of an older audit by where they came from."""
    if natural.kind is not None:
        return natural.kind
    return {PHOTOS: "crops"}.get(natural.spec) or (
        "drawings" if natural.spec in DRAWINGS else "photographs"
    )


def pictures(natural: NaturalInfo, seen: str = "") -> str:
    """Write how many photographs there are and what they are, with how many of them were `seen`."""
    kind, n, distinct = kind_of(natural), natural.n, natural.n_distinct
    if kind == "crops":
        distinct = distinct or min(n, len(PHOTO_FILES))
        return f"{seen}{counted(n, 'crop')} of {counted(distinct, 'photograph')}"
    said = f"{seen}{counted(n, kind.removesuffix('s'))}"
    return said if distinct in (None, n) else f"{said} ({number(distinct or 0)} different)"


def learned_on(audit: Audit, item: Perturbation) -> str:
    """Write what a perturbation was made from, with its own number of images looked at."""
    if item.threat_model == "T0" or item.source is None:
        return "without any model"
    natural, adapted = audit.natural, audit.natural.adapted
    total = adapted["n"] if item.source == "adapted" and adapted is not None else natural.n
    most = item.n_distinct_seen is None
    n_seen = item.images_seen if item.n_distinct_seen is None else item.n_distinct_seen
    seen = "" if n_seen >= total else f"{'at most ' * most}{number(n_seen)} of "
    if item.source == "medical":
        return "from medical images"
    if item.source == "adapted" and adapted is not None:
        return f"from {seen}{counted(total, 'adapted view')} of {pictures(natural)}"
    return f"from {pictures(natural, seen)}"


def looks(audit: Audit, item: Perturbation) -> str:
    """Write where the images came from, and how often they were looked at."""
    return (
        f"{isolated(audit.natural.spec)}: {learned_on(audit, item).removeprefix('from ')}, looked at "
        f"{number(item.images_seen)} times in all"
    )


def weak_runs(audit: Audit) -> tuple[str, ...]:
    """Warn of attacks that ran for less than half of what is usual, or on very few photographs."""
    warnings = []
    for item in audit.of_role("attack"):
        entry = ATTACKS.get(item.method["name"])
        if entry is None or "class" in item.method:
            continue
        usual = describe(entry.make())
        for keys in WORK:
            ran, should = amount(item.method, keys), amount(usual, keys)
            if ran is not None and should is not None and 2 * ran < should:
                what = " and ".join(f"{key} {number(item.method[key])}" for key in keys)
                full = " and ".join(number(usual[key]) for key in keys)
                warnings.append(
                    f"{isolated(item.name)} ran with {what.replace('_', ' ')}, where {full} are usual: "
                    "in full strength it may do more."
                )
    natural = audit.natural
    n = natural.n if kind_of(natural) == "crops" else natural.n_distinct or natural.n
    if n < FEW:
        warnings.append(
            f"The attacks were made from {pictures(natural)}, where 1,000 are usual: with more they may do "
            "more."
        )
    return tuple(warnings)


def amount(settings: Json, keys: tuple[str, ...]) -> int | None:
    """Return how long an attack runs by some of its settings, if it has them."""
    values = [settings.get(key) for key in keys]
    return prod(values) if all(type(value) is int for value in values) else None  # type: ignore[arg-type]
