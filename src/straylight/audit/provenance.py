"""Provenance: describe the model, images, budget and environment of an audit."""

import hashlib
import json
import math
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from straylight.attacks.adaptation.adapt import Adaptation, AdaptedPhotographs
from straylight.attacks.ball import Ball
from straylight.audit.files import ADAPTED, EXAMPLES, PHOTOGRAPHS
from straylight.audit.inputs import AuditInputs
from straylight.audit.perturbation import Perturbation
from straylight.audit.plan import Plan
from straylight.audit.sections import (
    AdaptedInfo,
    BudgetInfo,
    CohortInfo,
    EnvironmentInfo,
    ExamplesInfo,
    ModelInfo,
    NaturalInfo,
)
from straylight.cohort.identity import cohort_identity
from straylight.core.array_files import write_array
from straylight.core.code_version import code_versions, digest_class_source, package_versions
from straylight.core.conventions import LEVELS
from straylight.core.errors import quote_text
from straylight.core.tensor_files import read_delta
from straylight.core.tensors import quantize
from straylight.data.images import ImageSet
from straylight.evaluation.scoring import CleanPredictions
from straylight.models.classifier import Classifier
from straylight.models.identity import classifier_identity
from straylight.models.pass_counter import PassCounter

N_EXAMPLES = 6
LONGEST_SPEC = 2**12


def audit_fingerprint(plan: Plan, inputs: AuditInputs, *, keep_predictions: bool = False) -> str:
    """Return the digest of everything that determines an audit's figures on one machine."""
    training, public = inputs.training, inputs.public
    attacks = {type(method.attack) for method in (*plan.untargeted, *plan.targeted)}
    parts = {
        "plan": plan.settings(),
        "attacks": digest_class_source(*attacks),
        "model": classifier_identity(inputs.classifier),
        "natural": inputs.photographs.sha256,
        "cohort": cohort_identity(inputs.cohort),
        "training": None if training is None else training.sha256,
        "public": None if public is None else classifier_identity(public),
        "predictions": keep_predictions,
        "threads": torch.get_num_threads(),  # sums are rounded otherwise with another number
        "code": code_versions(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def describe_model(classifier: Classifier) -> ModelInfo:
    """Describe the audited classifier."""
    channels, height, width = classifier.shape
    return ModelInfo(
        spec=quote_text(classifier.spec, LONGEST_SPEC),
        sha256=classifier.sha256,
        class_names=classifier.class_names,
        channels=channels,
        height=height,
        width=width,
        card=classifier.card,
    )


def describe_natural(
    photographs: ImageSet, folder: Path, adapted: AdaptedInfo | None
) -> NaturalInfo:
    """Describe the photographs, and keep a few for the report."""
    sha256 = write_array(folder / PHOTOGRAPHS, photographs.pixels_at(slice(N_EXAMPLES)).numpy())
    return NaturalInfo(
        spec=quote_text(photographs.spec, LONGEST_SPEC),
        n=len(photographs),
        sha256=photographs.sha256,
        skipped=_skipped_files(photographs),
        examples=PHOTOGRAPHS,
        adapted=adapted,
        examples_sha256=sha256,
        kind=photographs.source.kind,
        n_distinct=photographs.source.n_distinct,
    )


def describe_adapted(
    adapted: AdaptedPhotographs,
    settings: Adaptation,
    passes: PassCounter,
    seconds: float,
    folder: Path,
) -> AdaptedInfo:
    """Describe the adapted photographs, and keep a few for the report."""
    sha256 = write_array(folder / ADAPTED, adapted.images.pixels_at(slice(N_EXAMPLES)).numpy())
    return AdaptedInfo(
        n=len(adapted.images),
        sha256=adapted.images.sha256,
        examples=ADAPTED,
        examples_sha256=sha256,
        statistic=adapted.statistic,
        distance_before=adapted.distance_before,
        distance_after=adapted.distance_after,
        style=adapted.style,
        settings=asdict(settings),
        n_forward=passes.forward,
        n_backward=passes.backward,
        seconds=seconds,
    )


def describe_cohort(
    clean: CleanPredictions, note: str, examples: ExamplesInfo | None
) -> CohortInfo:
    """Describe the medical images."""
    images = clean.cohort.images
    return CohortInfo(
        spec=quote_text(images.spec, LONGEST_SPEC),
        n=len(images),
        sha256=images.sha256,
        skipped=_skipped_files(images),
        class_names=clean.cohort.class_names,
        clean_confusion=clean.confusion,
        note=note,
        examples=examples,
        value_ranges=images.value_ranges or None,
    )


def keep_examples(
    clean: CleanPredictions, classifier: Classifier, attack: Perturbation, folder: Path
) -> ExamplesInfo:
    """Keep the first images of each class, with their predictions without and under `attack`."""
    images, names = clean.cohort.images, clean.cohort.class_names
    share = -(-N_EXAMPLES // len(names))
    members = [(clean.cohort.labels == c).nonzero().flatten()[:share] for c in range(len(names))]
    chosen = torch.cat(members)[:N_EXAMPLES]
    sha256 = write_array(folder / EXAMPLES, images.pixels_at(chosen).numpy())
    delta = read_delta(folder / attack.file, attack.sha256)
    attacked = classifier.predict(quantize(images.images(chosen) + delta))
    return ExamplesInfo(
        file=EXAMPLES,
        sha256=sha256,
        perturbation=attack.name,
        labels=tuple(names[c] for c in clean.cohort.labels[chosen].tolist()),
        clean=tuple(names[c] for c in clean.predictions[chosen].tolist()),
        attacked=tuple(names[c] for c in attacked.tolist()),
    )


def describe_budget(plan: Plan, ball: Ball, classifier: Classifier) -> BudgetInfo:
    """Describe how large a perturbation may be."""
    spread = math.sqrt(math.prod(classifier.shape)) if ball.norm == "l2" else 1.0
    return BudgetInfo(ball.norm, plan.zeta, ball.eps, ball.eps / spread * LEVELS)


def describe_environment(command: str, fingerprint: str) -> EnvironmentInfo:
    """Describe the versions and the machine that the figures were made with."""
    versions: dict[str, Any] = {**package_versions()}
    return EnvironmentInfo(
        **versions,
        python=platform.python_version(),
        platform=platform.system() + " " + platform.machine(),
        device="cpu",
        threads=torch.get_num_threads(),
        peak_memory_mib=_peak_memory_mib(),
        command=command,
        fingerprint=fingerprint,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _peak_memory_mib() -> int | None:
    """Return the peak memory of this process in MiB, or None on Windows, which does not report it."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


def _skipped_files(images: ImageSet) -> tuple[dict[str, Any], ...]:
    """Return the files that were skipped, as JSON."""
    return tuple(asdict(item) for item in images.skipped)
