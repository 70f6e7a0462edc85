"""Records of what the figures were made with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from audit_runs import PLAN, QUICK
from straylight.attacks.auto import Auto
from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.audit.run import run
from straylight.audit.storage import load_audit
from straylight.cohort.cohort import Cohort
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier


def test_adapted_photographs_are_recorded_with_their_cost(
    parts: tuple[Classifier, ImageSet, Cohort], tmp_path: Path
) -> None:
    attack = Gradient(steps=4, batch_size=8)
    plan = replace(
        PLAN,
        methods=(Method(attack, "adapted"), Method(Auto(image_passes=400, batch_size=4))),
        targets=(),
        targeted_methods=None,
        adaptation=QUICK,
    )
    audit = run(plan, *parts, tmp_path)
    first, second = audit.of_role("attack")
    assert (first.name, first.source, first.threat_model) == ("gradient@adapted", "adapted", "T1")
    assert (second.name, second.source) == ("auto@photographs", "photographs")
    assert (first.n_forward, first.n_backward) == (3 * 32, 32)  # of 40, aligned
    adapted = audit.natural.adapted
    assert adapted is not None
    assert (adapted.n, adapted.n_forward, adapted.n_backward) == (40, 12 + 40, 12)
    assert adapted.settings == vars(QUICK)
    surrogates = QUICK(parts[0], parts[1], generator=torch.Generator().manual_seed(0)).images
    assert adapted.sha256 == surrogates.sha256
    kept = np.load(tmp_path / adapted.examples)
    assert np.array_equal(kept, surrogates.pixels[: len(kept)].numpy())
    assert load_audit(tmp_path).natural == audit.natural
