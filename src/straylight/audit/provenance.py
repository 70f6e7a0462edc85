"""What an audit says of its parts: model, images, budget and machine."""

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

from straylight.attacks.adaptation.adapt import Adaptation, Adapted
from straylight.attacks.ball import Ball
from straylight.audit.plan import Plan
from straylight.audit.results import Budget, CohortInfo, ModelInfo, NaturalInfo, Perturbation
from straylight.audit.unfinished import ADAPTED, EXAMPLES, PHOTOGRAPHS
from straylight.cohort.load import Cohort
from straylight.core.code_version import code, code_of, versions
from straylight.core.errors import quoted
from straylight.core.files import read_delta, write_array
from straylight.core.tensors import LEVELS, as_received
from straylight.data.images import ImageSet
from straylight.evaluation.scoring import Clean
from straylight.models.classifier import Classifier, Passes
from straylight.training.identity import identity_of_classifier, identity_of_cohort

N_EXAMPLES = 6
LONGEST_SPEC = 2**12


def fingerprint(
    plan: Plan,
    classifier: Classifier,
    photographs: ImageSet,
    cohort: Cohort,
    *,
    training: ImageSet | None = None,
    public: Classifier | None = None,
    keep_predictions: bool = False,
) -> str:
    """Digest of everything that determines an audit's figures on one machine."""
    attacks = {type(method.attack) for method in (*plan.untargeted, *plan.targeted)}
    parts = {
        "plan": plan.settings(),
        "attacks": code_of(*attacks),
        "model": identity_of_classifier(classifier),
        "natural": photographs.sha256,
        "cohort": identity_of_cohort(cohort),
        "training": None if training is None else training.sha256,
        "public": None if public is None else identity_of_classifier(public),
        "predictions": keep_predictions,
        "threads": torch.get_num_threads(),  # sums are rounded otherwise with another number
        "code": code(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def describe_model(classifier: Classifier) -> ModelInfo:
    """Say what was audited."""
    channels, height, width = classifier.shape
    return ModelInfo(
        spec=quoted(classifier.spec, LONGEST_SPEC),
        sha256=classifier.sha256,
        class_names=classifier.class_names,
        channels=channels,
        height=height,
        width=width,
        card=classifier.card,
    )


def describe_natural(
    photographs: ImageSet, folder: Path, adapted: dict[str, Any] | None
) -> NaturalInfo:
    """Describe what the attacks were made from, and keep a few photographs for the report."""
    sha256 = write_array(folder / PHOTOGRAPHS, photographs.pixels_at(slice(N_EXAMPLES)).numpy())
    return NaturalInfo(
        spec=quoted(photographs.spec, LONGEST_SPEC),
        n=len(photographs),
        sha256=photographs.sha256,
        skipped=skipped(photographs),
        examples=PHOTOGRAPHS,
        adapted=adapted,
        examples_sha256=sha256,
        kind=photographs.source.kind,
        n_distinct=photographs.source.n_distinct,
    )


def describe_adapted(
    found: Adapted, settings: Adaptation, passes: Passes, seconds: float, folder: Path
) -> dict[str, Any]:
    """Describe what was made of the photographs, and keep a few for the report."""
    sha256 = write_array(folder / ADAPTED, found.images.pixels_at(slice(N_EXAMPLES)).numpy())
    return {
        "n": len(found.images),
        "sha256": found.images.sha256,
        "examples": ADAPTED,
        "examples_sha256": sha256,
        "statistic": found.statistic,
        "distance_before": found.distance_before,
        "distance_after": found.distance_after,
        "style": found.style,
        "settings": asdict(settings),
        "n_forward": passes.forward,
        "n_backward": passes.backward,
        "seconds": seconds,
    }


def describe_cohort(clean: Clean, note: str, examples: dict[str, Any] | None) -> CohortInfo:
    """Say what the audit was scored on."""
    images = clean.cohort.images
    return CohortInfo(
        spec=quoted(images.spec, LONGEST_SPEC),
        n=len(images),
        sha256=images.sha256,
        skipped=skipped(images),
        class_names=clean.cohort.class_names,
        clean_confusion=clean.confusion,
        note=note,
        examples=examples,
        value_ranges=images.value_ranges or None,
    )


def keep_examples(
    clean: Clean, classifier: Classifier, attack: Perturbation, folder: Path
) -> dict[str, Any]:
    """Keep the first images of each class, with what the classifier says before and under `attack`."""
    images, names = clean.cohort.images, clean.cohort.class_names
    share = -(-N_EXAMPLES // len(names))
    members = [(clean.cohort.labels == c).nonzero().flatten()[:share] for c in range(len(names))]
    chosen = torch.cat(members)[:N_EXAMPLES]
    sha256 = write_array(folder / EXAMPLES, images.pixels_at(chosen).numpy())
    delta = read_delta(folder / attack.file, attack.sha256)
    attacked = classifier.predict(as_received(images.images(chosen) + delta))
    return {
        "file": EXAMPLES,
        "sha256": sha256,
        "perturbation": attack.name,
        "labels": [names[c] for c in clean.cohort.labels[chosen].tolist()],
        "clean": [names[c] for c in clean.predictions[chosen].tolist()],
        "attacked": [names[c] for c in attacked.tolist()],
    }


def describe_budget(plan: Plan, ball: Ball, classifier: Classifier) -> Budget:
    """Say how large a perturbation may be."""
    spread = math.sqrt(math.prod(classifier.shape)) if ball.norm == "l2" else 1.0
    return Budget(ball.norm, plan.zeta, ball.eps, ball.eps / spread * LEVELS)


def describe_environment(command: str, fingerprint: str) -> dict[str, Any]:
    """Describe what the figures were made with."""
    return versions() | {
        "python": platform.python_version(),
        "platform": platform.system() + " " + platform.machine(),
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "peak_memory_mib": peak_memory(),
        "command": command,
        "fingerprint": fingerprint,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def peak_memory() -> int | None:
    """Largest memory of this process so far in MiB, where the system tells it (not on Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


def skipped(images: ImageSet) -> tuple[dict[str, Any], ...]:
    """Return the files that were left out, as plain data."""
    return tuple(asdict(item) for item in images.skipped)
