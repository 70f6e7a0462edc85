"""The grid of a study: its file, checked, and every audit that it specifies, with its training."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from straylight.attacks.method import Method
from straylight.audit.plan import Plan
from straylight.audit.schema import Json
from straylight.cohort.manifest import Reading
from straylight.core.conventions import LEVELS, Shape
from straylight.core.errors import InputError, join_names, quote_text
from straylight.core.settings import parse_settings
from straylight.models.options import ModelOptions
from straylight.study.config.cost import Throughput
from straylight.study.config.matrix import AXES, MOST_AUDITS, count_combinations, expand_matrix
from straylight.study.config.schema import check_document, make_record, shared_plan_settings
from straylight.study.config.toml import Place, TomlDocument
from straylight.training.recipe import Recipe, preset_settings


@dataclass(frozen=True, kw_only=True)
class CohortSpec:
    """Medical images as specified in the file. `n_test` and `n_train` are for the cost estimate only."""

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
class ModelSpec:
    """A network as specified in the file: trained by the study at `size`, or loaded from `model`."""

    size: int = 0
    model: str = ""
    options: ModelOptions = field(default_factory=ModelOptions)
    throughput: Throughput | None = None


@dataclass(frozen=True, kw_only=True)
class AuditSpec:
    """One audit of the grid.

    Attributes:
        place: The place in the file that specifies it.
        labels: The names and values of its axes.
        recipe: How its classifier is trained (None: it is loaded).
        photographs: The number of photographs.
        public: Weights of the public network, for T2 attacks.
    """

    place: Place
    labels: Json
    cohort: CohortSpec
    model: ModelSpec
    recipe: Recipe | None
    natural: str
    photographs: int
    plan: Plan
    public: str

    @property
    def shape(self) -> Shape:
        """The shape of the images of a classifier that the study trains."""
        return (1 if self.cohort.grey else 3, self.model.size, self.model.size)


class Grid:
    """A study's file.

    Raises:
        InputError: If something in it is wrong; the message names the line.
    """

    def __init__(self, document: TomlDocument) -> None:
        check_document(document)
        self.document, data = document, document.data
        self.title: str = data.get("title", document.path.stem)
        self.threads: int = data.get("threads", 1)
        self.gpus = float(data.get("gpus", 0))
        self.cohorts = {name: self._cohort(name, given) for name, given in data["cohorts"].items()}
        self.models = {name: self._model(name, given) for name, given in data["models"].items()}
        self.entries = list(self._entries(data["audits"]))

    def _entries(self, matrices: list[Json]) -> Iterator[AuditSpec]:
        """Yield all audits; their number is checked first."""
        expected = 0
        for number, matrix in enumerate(matrices):
            expected += count_combinations(matrix)
            with self.document.at(("audits", number)):
                if expected > MOST_AUDITS:
                    raise InputError(
                        f"up to here the study has {expected:,} audits: the most are {MOST_AUDITS:,}"
                    )
        for number, matrix in enumerate(matrices):
            with self.document.at(("audits", number)):
                combinations = expand_matrix(matrix)
            for combination in combinations:
                yield self._entry(combination, ("audits", number))

    def _cohort(self, name: str, given: Json) -> CohortSpec:
        place: Place = ("cohorts", name)
        fields = {key: value for key, value in given.items() if key != "training"}
        with self.document.at((*place, "reading")):
            fields["reading"] = parse_settings(Reading, "reading", given.get("reading", ""))
        fields |= {key: tuple(given.get(key, ())) for key in ("classes", "targets")}
        for target in fields["targets"]:
            if target not in fields["classes"]:
                raise self.document.fault(
                    (*place, "targets"), f"{quote_text(target)!r} is not one of the classes"
                )
        return CohortSpec(**fields)

    def _model(self, name: str, given: Json) -> ModelSpec:
        if ("size" in given) == ("model" in given):
            raise self.document.fault(
                ("models", name), "give either size (the study trains it) or model (it is loaded)"
            )
        stated = given.get("throughput")
        return ModelSpec(
            size=given.get("size", 0),
            model=given.get("model", ""),
            options=make_record(ModelOptions, given.get("options", {})),
            throughput=None if stated is None else make_record(Throughput, stated),
        )

    def _entry(self, given: Json, place: Place) -> AuditSpec:
        cohort = self._named("cohorts", given["cohort"], place, self.cohorts)
        model = self._named("models", given["model"], place, self.models)
        source = self._named("sources", given["source"], place, self.document.data["sources"])
        with self.document.at(place):
            plan = _make_plan(given, cohort)
            sources = {method.source for method in (*plan.untargeted, *plan.targeted)}
            if "medical" in sources and not cohort.train:
                raise InputError(
                    f"a method learns on medical images: give {given['cohort']} a train."
                )
        settings = {"norm": plan.norm, "seed": plan.seed} | given
        return AuditSpec(
            place=place,
            labels={key: settings[key] for key in AXES if key in settings},
            cohort=cohort,
            model=model,
            recipe=None if model.model else self._recipe(given, place),
            natural=source["natural"],
            photographs=given["photographs"],
            plan=plan,
            public=given.get("public", ""),
        )

    def _named(self, kind: str, name: str, place: Place, known: dict[str, Any]) -> Any:  # noqa: ANN401
        if name not in known:
            raise self.document.fault(
                (*place, kind.removesuffix("s")),
                f"there is no [{kind}.{quote_text(name)}]: the file has {join_names(known)}",
            )
        return known[name]

    def _recipe(self, given: Json, place: Place) -> Recipe:
        """Merge the training settings: general, then of the model, the cohort and the initialisation."""
        data = self.document.data
        general = data.get("training", {})
        with self.document.at(("training", "recipe")):
            settings = preset_settings(general.get("recipe", ""))
        settings |= {key: value for key, value in general.items() if key != "recipe"}
        settings |= data["models"][given["model"]].get("training", {})
        settings |= data["cohorts"][given["cohort"]].get("training", {})
        if "initialisation" in given:
            known = data.get("initialisations", {})
            chosen = self._named("initialisations", given["initialisation"], place, known)
            settings |= chosen.get("training", {})
        if "training_seed" in given:
            settings["seed"] = given["training_seed"]
        if "backbone" not in settings:
            raise self.document.fault(("models", given["model"]), "its training has no backbone")
        if not data["cohorts"][given["cohort"]].get("train"):
            raise self.document.fault(
                ("cohorts", given["cohort"]), f"{given['model']} is trained on it: give it a train"
            )
        with self.document.at(("models", given["model"])):
            return make_record(Recipe, settings)


def _make_plan(given: Json, cohort: CohortSpec) -> Plan:
    """Build the plan of an audit from its settings."""
    wanted = given.get("targets", "none")
    named = {"none": (), "cohort": cohort.targets, "all": cohort.classes}
    targets = named[wanted] if isinstance(wanted, str) else tuple(wanted)
    for target in targets:
        if target not in cohort.classes:
            raise InputError(
                f"the target {quote_text(target)!r} is not one of the classes {join_names(cohort.classes)}"
            )
    targeted = tuple(map(Method.parse, given.get("targeted_methods", ())))
    levels = given.get("eps_levels")
    as_given = ("norm", "seed", *shared_plan_settings())
    settings = {key: given[key] for key in as_given if key in given}
    settings |= {
        "zeta": None if "zeta" not in given else float(given["zeta"]),
        "eps": None if levels is None else levels / LEVELS,
        "methods": tuple(map(Method.parse, given["methods"])),
        "targets": targets,
        "targeted_methods": targeted or None,
    }
    return make_record(Plan, settings)
