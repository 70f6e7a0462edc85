"""The data that trainings are tested with."""

from pathlib import Path

import pytest

from straylight.cohort.cohort import Cohort
from straylight.cohort.load import load_cohort
from straylight.training.finetune import finetune
from tiny_audits import KilledAt
from training_runs import RECIPE, training_data


@pytest.fixture
def data(class_folders: Path) -> Cohort:
    """Two classes of 12 images."""
    return load_cohort(class_folders, (3, 32, 32))


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was killed after its first epoch."""
    out = tmp_path_factory.mktemp("unfinished")
    with pytest.raises(KeyboardInterrupt):
        finetune(training_data(), RECIPE, out, KilledAt(epoch=2))
    return out
