"""The work of a cell: train a classifier, or audit one."""

from functools import lru_cache, partial
from pathlib import Path

import torch

from straylight.audit.existing import check_file_digests
from straylight.audit.files import AUDIT_FILE, UNFINISHED_FILE, remove_file
from straylight.audit.inputs import load_inputs
from straylight.audit.run import run_audit
from straylight.audit.schema import Json
from straylight.audit.storage import load_audit
from straylight.cohort.cohort import Cohort
from straylight.cohort.load import load_cohort
from straylight.cohort.manifest import Reading
from straylight.core.conventions import Shape
from straylight.core.progress import Tracker
from straylight.data.images import ImageSet
from straylight.data.photographs.load import load_natural
from straylight.models.card import load_classifier
from straylight.models.files import CARD_FILE
from straylight.models.load import load_model
from straylight.report.render import write_report
from straylight.study.run.audit_figures import audit_figures
from straylight.study.run.cell import Cell, CellWork
from straylight.study.run.cells import CellInputs
from straylight.study.run.digests import check_data_unchanged
from straylight.study.run.record import (
    digest_model_files,
    find_trained_model,
    has_trained_model,
    record_trained_model,
)
from straylight.training.epochs import CHECKPOINT
from straylight.training.finetune import finetune

KEPT = 4  # data sets of each kind in memory: neighbouring cells share them


@lru_cache(maxsize=KEPT)
def _load_photographs(digest: str, spec: str, shape: Shape, n: int, seed: int) -> ImageSet:
    """Load photographs, or return them from this process's cache, where `digest` identifies them."""
    return load_natural(spec, shape, n=n, seed=seed)


@lru_cache(maxsize=KEPT)
def _load_medical_images(
    spec: str, digest: str, shape: Shape, classes: tuple[str, ...], reading: Reading
) -> Cohort:
    """Load medical images, or return them from this process's cache."""
    return load_cohort(spec, shape, classes, reading=reading)


def run_training_cell(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
    """Train a classifier in the folder of its cell, and return its figures."""
    inputs: CellInputs = cell.inputs
    entry, cohort = inputs.entry, inputs.entry.cohort
    assert entry.recipe is not None
    torch.set_num_threads(inputs.threads)
    if (folder / CHECKPOINT).exists() or not has_trained_model(folder):
        if not (folder / CHECKPOINT).exists():
            remove_file(folder / CARD_FILE)  # it may not be the one that was written here
        data = _load_medical_images(
            cohort.train, inputs.digests["training"], entry.shape, cohort.classes, cohort.reading
        )
        check_data_unchanged(inputs.data)
        finetune(data, entry.recipe, folder, tracker)
        record_trained_model(folder)
    history = load_classifier(folder).card["training"]["history"]
    best = max(epoch["validation_accuracy"] for epoch in history)
    return {"validation_accuracy": best, "files": digest_model_files(folder)}


def run_audit_cell(cell: Cell, folder: Path, study: Path, tracker: Tracker) -> Json:
    """Audit a classifier in the folder of the cell, and return the figures."""
    inputs: CellInputs = cell.inputs
    entry, digests = inputs.entry, inputs.digests
    torch.set_num_threads(inputs.threads)
    if not (folder / AUDIT_FILE).exists() or (folder / UNFINISHED_FILE).exists():
        classifier = (
            load_classifier(find_trained_model(study, cell.needs[0]))
            if cell.needs
            else load_model(entry.model.model, entry.model.options)
        )
        cohort = entry.cohort
        digest_of_spec = {cohort.train: digests.get("training", ""), cohort.test: digests["cohort"]}

        def load_labelled(
            spec: str, shape: Shape, classes: tuple[str, ...], *, reading: Reading
        ) -> Cohort:
            return _load_medical_images(spec, digest_of_spec[spec], shape, classes, reading)

        audit_inputs = load_inputs(
            classifier,
            natural=entry.natural,
            cohort=cohort.test,
            training=cohort.train if "training" in digests else None,
            public=entry.public or None,
            n_photographs=entry.photographs,
            seed=entry.plan.seed,
            reading=cohort.reading,
            load_photographs=partial(_load_photographs, digests["natural"]),
            load_labelled=load_labelled,
        )
        check_data_unchanged(inputs.data)
        run_audit(
            entry.plan,
            audit_inputs,
            folder,
            note=cohort.note,
            tracker=tracker,
            keep_predictions=True,
            finish=write_report,
        )
    write_report(folder)
    found = load_audit(folder)
    check_file_digests(found, folder)
    return audit_figures(found, folder)


WORK_OF_KIND: dict[str, CellWork] = {"training": run_training_cell, "audit": run_audit_cell}
