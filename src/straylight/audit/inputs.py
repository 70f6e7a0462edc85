"""The inputs of an audit: classifier, photographs and medical images, loaded and checked."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from straylight.attacks.catalogue import attacks_where
from straylight.audit.jobs import AttackJob, count_perturbations, list_jobs
from straylight.audit.plan import Plan
from straylight.audit.storage import check_audit_size
from straylight.cohort.cohort import Cohort
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.cohort.overlap import check_no_overlap
from straylight.core.checks import check_type
from straylight.core.errors import InputError, quote_text
from straylight.data.images import ImageSet
from straylight.data.photographs.load import load_natural
from straylight.evaluation.scoring import check_cohort_fits
from straylight.models.classifier import Classifier
from straylight.training.finetune import public_network

N_TRAINING = 1000  # medical images for an oracle, where the number of photographs is not given


@dataclass(frozen=True, eq=False)
class AuditInputs:
    """The classifier and the images of an audit.

    Attributes:
        classifier: The audited model.
        photographs: Of the classifier's shape.
        cohort: Of the classifier's shape and classes.
        training: Medical images, none of them in the cohort, for methods that learn on ``medical``.
        public: The public network that `classifier` was fine-tuned from, for attacks of T2.

    Raises:
        InputError: If one is of another type.
    """

    classifier: Classifier
    photographs: ImageSet
    cohort: Cohort
    training: ImageSet | None = None
    public: Classifier | None = None

    def __post_init__(self) -> None:
        for name, kind, remedy in (
            ("classifier", Classifier, "load_model(...) or Classifier(network, ...)"),
            ("photographs", ImageSet, "load_natural(...)"),
            ("cohort", Cohort, "load_cohort(...)"),
            ("training", ImageSet | None, "load_cohort(...).images"),
            ("public", Classifier | None, "public_network(...)"),
        ):
            check_type(getattr(self, name), name, kind, remedy)

    def check(self, plan: Plan) -> None:
        """Check that a plan can be run on these inputs: that they fit together and nothing is missing.

        Raises:
            InputError: If not.
        """
        check_type(plan, "plan", Plan, "Plan(zeta=0.02)")
        wanted = list_jobs(plan, self.classifier.class_names)
        sources = {job.method.source for job in wanted}
        if sources == {"medical"}:
            raise InputError("every method learns on medical images: give at least one attack.")
        self._check_shape(self.photographs)
        check_cohort_fits(self.classifier, self.cohort)
        if self.training is not None:
            self._check_shape(self.training)
        skipped = (*self.photographs.skipped, *self.cohort.images.skipped)
        check_audit_size(
            count_perturbations(wanted, plan),
            self.classifier.class_names,
            len(self.cohort),
            points=plan.curve,
            skipped=tuple((item.file, item.reason) for item in skipped),
        )
        check_no_overlap(self.photographs, self.cohort.images, self.training)
        if "medical" in sources:
            self._check_training()
        if any(job.method.attack.threat_model == "T2" for job in wanted):
            self._check_public()
        self.classifier.check()
        self._check_amounts(wanted, plan)

    def _check_shape(self, images: ImageSet) -> None:
        """Raise if images are not of the classifier's shape."""
        if images.shape != self.classifier.shape:
            raise InputError(
                f"{quote_text(images.spec)} has images of shape {images.shape}, "
                f"the classifier takes {self.classifier.shape}."
            )

    def _check_training(self) -> None:
        """Raise if an oracle has no images to learn on, or would be scored on one of them."""
        if self.training is None:
            raise InputError(
                "a method learns on medical images: give them (--training), in Python as training."
            )
        shared = len(self.training.digests() & self.cohort.images.digests())
        if shared:
            raise InputError(
                f"{shared} images of {quote_text(self.training.spec)} are in "
                f"{quote_text(self.cohort.images.spec)} as well: an oracle may not learn on what it is "
                "scored on."
            )

    def _check_public(self) -> None:
        """Raise if attacks of T2 have no public network."""
        if self.public is None:
            names = " and ".join(attacks_where(lambda attack: attack.threat_model == "T2"))
            raise InputError(
                f"{names} work on the public network that the classifier was fine-tuned from: "
                "give its weights (--public), in Python the network as public."
            )
        if self.public.shape != self.classifier.shape:
            raise InputError(
                f"the public network takes {self.public.shape}, the classifier {self.classifier.shape}."
            )

    def _check_amounts(self, wanted: list[AttackJob], plan: Plan) -> None:
        """Raise, before the first attack, if one of them cannot work with so many images."""
        sizes = {"photographs": len(self.photographs), "adapted": plan.adaptation.n}
        sizes |= {"medical": 0 if self.training is None else len(self.training)}
        for job in wanted:
            adapted = job.method.source == "adapted"
            cost = (
                plan.adaptation.cost(self.classifier)
                if adapted
                else self.classifier.passes_per_step
            )
            n_classes = len(self.classifier.class_names)
            job.method.planned(sizes[job.method.source], n_classes, cost)


def load_inputs(
    classifier: Classifier,
    *,
    natural: str,
    cohort: str | Cohort,
    training: str | None = None,
    public: str | None = None,
    n_photographs: int | None = None,
    seed: int = 0,
    reading: Reading | None = None,
    load_photographs: Callable[..., ImageSet] = load_natural,
    load_labelled: Callable[..., Cohort] = load_cohort,
) -> AuditInputs:
    """Load everything that an audit of `classifier` is run on.

    Args:
        classifier: The audited model.
        natural: The photographs, as for `load_natural`.
        cohort: The labelled test images, as for `load_cohort`, or as loaded.
        training: Labelled images for oracles, as for `load_cohort`: as many as there are photographs at
            most, drawn at random.
        public: Weights of the public network, as for `public_network`.
        n_photographs: How many photographs to use (None: all).
        seed: Of what is drawn.
        reading: How medical images are read.
        load_photographs, load_labelled: The loaders, such as ones that keep what they have loaded.

    Raises:
        InputError: If something cannot be loaded.
    """
    shape, class_names = classifier.shape, classifier.class_names
    photographs = load_photographs(natural, shape, n=n_photographs, seed=seed)
    if isinstance(cohort, str):
        cohort = load_labelled(cohort, shape, class_names, reading=reading)
    network = None if public is None else public_network(classifier, public)
    images = None
    if training is not None:
        images = load_labelled(training, shape, class_names, reading=reading).images
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(images), generator=generator)[: n_photographs or N_TRAINING]
        images = images.subset(chosen)
    return AuditInputs(classifier, photographs, cohort, training=images, public=network)
