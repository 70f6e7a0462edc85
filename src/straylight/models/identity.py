"""Identity of a classifier: everything that its outputs depend on, as plain data."""

import json
import re
from typing import Any

from straylight.core.bounded_read import sha256_of
from straylight.core.code_version import digest_class_source
from straylight.models.classifier import Classifier

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def classifier_identity(classifier: Classifier) -> dict[str, Any]:
    """Return everything that a classifier's outputs depend on: weights, structure, shape, user's code."""
    # Its training is contained in its weights, and its files hold the same weights.
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
        "structure": sha256_of(json.dumps(structure).encode()),
        "code": digest_class_source(*{type(module) for module in classifier.modules()}),
    }
