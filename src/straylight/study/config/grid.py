"""A study's file, read and checked: every audit that it calls for, with its training."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from straylight.attacks.adaptation.adapt import Adaptation
from straylight.attacks.methods import parse_method
from straylight.audit.plan import Plan
from straylight.audit.schema import Json
from straylight.cohort.reading import Reading
from straylight.core.errors import InputError, listed, quoted
from straylight.core.settings import parse_settings
from straylight.core.tensors import LEVELS, Shape
from straylight.models.load import ModelOptions
from straylight.study.config.cost import Throughput
from straylight.study.config.matrix import AXES, MOST, count, expand
from straylight.study.config.schema import check, made
from straylight.study.config.toml import Document, Place
from straylight.training.presets import preset
from straylight.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class CohortEntry:
    """Medical images as the file names them; see `schema`. Counts are for the estimate only."""

    test: str
    classes: tuple[str, ...]
    train: str = ""
    targets: tuple[str, ...] = ()
    grey: bool = False
    reading: Reading = field(default_factory=Reading)
    note: str = ""
    n_test: int = 0
    n_train: int = 0


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A network as the file names it: trained here at `size`, or brought as `model`."""

    size: int = 0
    model: str = ""
    options: ModelOptions = field(default_factory=ModelOptions)
    throughput: Throughput | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One audit of the grid.

    Attributes:
        place: Where the file calls for it.
        labels: The names and values of its axes.
        recipe: How its classifier is trained (None: it is brought).
        photographs: How many.
        public: Weights of the public network, for attacks of T2.
    """

    place: Place
    labels: Json
    cohort: CohortEntry
    model: ModelEntry
    recipe: Recipe | None
    natural: str
    photographs: int
    plan: Plan
    public: str

    @property
    def shape(self) -> Shape:
        """Of the images of a classifier that is trained here."""
        return (1 if self.cohort.grey else 3, self.model.size, self.model.size)


class Grid:
    """A study's file.

    Raises:
        InputError: If something in it is wrong; the message names the line.
    """

    def __init__(self, document: Document) -> None:
        check(document)
        self.document, data = document, document.data
        self.title: str = data.get("title", document.path.stem)
        self.threads: int = data.get("threads", 1)
        self.gpus = float(data.get("gpus", 0))
        self.cohorts = {name: self._cohort(name, found) for name, found in data["cohorts"].items()}
        self.models = {name: self._model(name, found) for name, found in data["models"].items()}
        self.entries = list(self._entries(data["audits"]))

    def _entries(self, matrices: list[Json]) -> Iterator[Entry]:
        """Make all audits, having counted them first."""
        expected = 0
        for number, matrix in enumerate(matrices):
            expected += count(matrix)
            with self.document.at(("audits", number)):
                if expected > MOST:
                    raise InputError(
                        f"up to here the study has {expected:,} audits, and it may have {MOST:,}"
                    )
        for number, matrix in enumerate(matrices):
            with self.document.at(("audits", number)):
                combinations = expand(matrix)
            for combination in combinations:
                yield self._entry(combination, ("audits", number))

    def _cohort(self, name: str, found: Json) -> CohortEntry:
        place: Place = ("cohorts", name)
        fields = {key: value for key, value in found.items() if key != "training"}
        with self.document.at((*place, "reading")):
            fields["reading"] = parse_settings(Reading, "reading", found.get("reading", ""))
        fields |= {key: tuple(found.get(key, ())) for key in ("classes", "targets")}
        for target in fields["targets"]:
            if target not in fields["classes"]:
                raise self.document.fault(
                    (*place, "targets"), f"{quoted(target)!r} is none of the classes"
                )
        return CohortEntry(**fields)

    def _model(self, name: str, found: Json) -> ModelEntry:
        if ("size" in found) == ("model" in found):
            raise self.document.fault(
                ("models", name), "give either size (it is trained here) or model (it is brought)"
            )
        stated = found.get("throughput")
        return ModelEntry(
            size=found.get("size", 0),
            model=found.get("model", ""),
            options=made(ModelOptions, found.get("options", {})),
            throughput=None if stated is None else made(Throughput, stated),
        )

    def _entry(self, found: Json, place: Place) -> Entry:
        cohort = self._named("cohorts", found["cohort"], place, self.cohorts)
        model = self._named("models", found["model"], place, self.models)
        source = self._named("sources", found["source"], place, self.document.data["sources"])
        with self.document.at(place):
            plan = make_plan(found, cohort)
            if "medical" in {method.source for method in plan.untargeted} and not cohort.train:
                raise InputError(
                    f"a method learns on medical images: give {found['cohort']} a train."
                )
        said = {"norm": plan.norm, "seed": plan.seed} | found
        return Entry(
            place=place,
            labels={key: said[key] for key in AXES if key in said},
            cohort=cohort,
            model=model,
            recipe=None if model.model else self._recipe(found, place),
            natural=source["natural"],
            photographs=found["photographs"],
            plan=plan,
            public=found.get("public", ""),
        )

    def _named(self, kind: str, name: str, place: Place, known: dict[str, Any]) -> Any:  # noqa: ANN401
        if name not in known:
            raise self.document.fault(
                (*place, kind.removesuffix("s")),
                f"there is no [{kind}.{quoted(name)}]: it has {listed(known)}",
            )
        return known[name]

    def _recipe(self, found: Json, place: Place) -> Recipe:
        """Merge the settings of training: general, of the model, the cohort, the initialisation."""
        data = self.document.data
        general = data.get("training", {})
        with self.document.at(("training", "recipe")):
            settings = preset(general.get("recipe", ""))
        settings |= {key: value for key, value in general.items() if key != "recipe"}
        settings |= data["models"][found["model"]].get("training", {})
        settings |= data["cohorts"][found["cohort"]].get("training", {})
        if "initialisation" in found:
            known = data.get("initialisations", {})
            chosen = self._named("initialisations", found["initialisation"], place, known)
            settings |= chosen.get("training", {})
        if "training_seed" in found:
            settings["seed"] = found["training_seed"]
        if "backbone" not in settings:
            raise self.document.fault(("models", found["model"]), "its training has no backbone")
        if not data["cohorts"][found["cohort"]].get("train"):
            raise self.document.fault(
                ("cohorts", found["cohort"]), f"{found['model']} is trained on it: give it a train"
            )
        with self.document.at(("models", found["model"])):
            return made(Recipe, settings)


def make_plan(found: Json, cohort: CohortEntry) -> Plan:
    """Turn the settings of an audit into a plan."""
    wanted = found.get("targets", "none")
    named = {"none": (), "cohort": cohort.targets, "all": cohort.classes}
    targets = named[wanted] if isinstance(wanted, str) else tuple(wanted)
    for target in targets:
        if target not in cohort.classes:
            raise InputError(
                f"the target {quoted(target)!r} is none of the classes {listed(cohort.classes)}"
            )
    targeted = tuple(map(parse_method, found.get("targeted_methods", ())))
    levels = found.get("eps_levels")
    return Plan(
        norm=found.get("norm", "l2"),
        zeta=None if "zeta" not in found else float(found["zeta"]),
        eps=None if levels is None else levels / LEVELS,
        methods=tuple(map(parse_method, found["methods"])),
        targets=targets,
        targeted_methods=targeted or None,
        adaptation=made(Adaptation, found.get("adaptation", {})),
        control_seeds=found.get("control_seeds", 3),
        curve=found.get("curve", 0),
        seed=found.get("seed", 0),
    )
