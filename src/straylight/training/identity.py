"""All that a result depends on, as plain data: what a classifier computes, and what it learned on."""

import hashlib
import json
import re
from typing import Any

from straylight.cohort.load import Cohort
from straylight.core.bounded_read import digest_of
from straylight.core.code_version import code_of
from straylight.models.classifier import Classifier

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def identity_of_classifier(classifier: Classifier) -> dict[str, Any]:
    """Return all that a classifier's answers depend on: weights, structure, frame, code of the user's."""
    # How it was trained is in its weights, and these are the content of its files.
    told = ("training", "files")
    card = {key: value for key, value in classifier.card.items() if key not in told}
    structure = [
        ADDRESS.sub("", repr(classifier.network)),
        json.dumps(card, sort_keys=True, default=str),
        [[name, buffer.tolist()] for name, buffer in classifier.named_buffers(recurse=False)],
    ]
    return {
        "weights": classifier.sha256,
        "classes": list(classifier.class_names),
        "shape": list(classifier.shape),
        "structure": digest_of(json.dumps(structure).encode()),
        "code": code_of(*{type(module) for module in classifier.modules()}),
    }


def identity_of_cohort(cohort: Cohort) -> dict[str, Any]:
    """Return all that labelled images are: pixels, labels, and the names of the classes."""
    return {
        "images": cohort.images.sha256,
        "labels": digest_of_labels(cohort),
        "classes": list(cohort.class_names),
    }


def digest_of_labels(cohort: Cohort) -> str:
    """Digest of the labels, one after the other."""
    return hashlib.sha256(cohort.labels.contiguous().numpy().tobytes()).hexdigest()
