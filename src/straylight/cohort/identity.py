"""Identity of labelled images, as plain data."""

import hashlib
from typing import Any

from straylight.cohort.cohort import Cohort


def cohort_identity(cohort: Cohort) -> dict[str, Any]:
    """Return the digests of the pixels and labels, and the class names."""
    return {
        "images": cohort.images.sha256,
        "labels": digest_labels(cohort),
        "classes": list(cohort.class_names),
    }


def digest_labels(cohort: Cohort) -> str:
    """Compute the digest of the labels, in order."""
    return hashlib.sha256(cohort.labels.contiguous().numpy().tobytes()).hexdigest()
