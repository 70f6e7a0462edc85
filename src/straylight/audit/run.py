"""The audit: attacks made from photographs, controls of equal size, both scored on a cohort."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from straylight.attacks.adaptation.adapt import AdaptedPhotographs
from straylight.attacks.catalogue import Source
from straylight.audit.existing import find_finished_audit, find_written_audit, finish_audit
from straylight.audit.files import PREDICTIONS
from straylight.audit.inputs import AuditInputs
from straylight.audit.jobs import list_jobs
from straylight.audit.plan import Plan
from straylight.audit.provenance import (
    audit_fingerprint,
    describe_adapted,
    describe_budget,
    describe_cohort,
    describe_environment,
    describe_model,
    describe_natural,
    keep_examples,
)
from straylight.audit.results import Audit, strongest_of
from straylight.audit.runner import AttackRunner, Networks, map_networks, write_predictions
from straylight.audit.sections import AdaptedInfo
from straylight.audit.storage import save_audit
from straylight.audit.unfinished import UnfinishedAudit
from straylight.cohort.cohort import Cohort
from straylight.cohort.overlap import report_duplicates
from straylight.core.checks import check_folder, check_text, describe_value
from straylight.core.errors import InputError, quote_text
from straylight.core.progress import Silent, Tracker, with_progress
from straylight.core.tensors import Logits
from straylight.data.images import ImageSet
from straylight.evaluation.preflight.check_result import CheckResult
from straylight.evaluation.preflight.outputs import check_same_outputs
from straylight.evaluation.preflight.run import preflight, report_results
from straylight.evaluation.scoring import CleanPredictions
from straylight.models.classifier import Classifier
from straylight.models.folding import fold_batch_norms
from straylight.models.pass_counter import count_passes

SHOWN = 3  # skipped files that are named


def run(
    plan: Plan,
    classifier: Classifier,
    photographs: ImageSet,
    cohort: Cohort,
    out: Path | str,
    *,
    force: bool = False,
    show_images: bool = False,
    note: str = "",
    command: str = "",
    training: ImageSet | None = None,
    public: Classifier | None = None,
    tracker: Tracker | None = None,
    keep_predictions: bool = False,
    again: bool = False,
    finish: Callable[[Path], object] | None = None,
) -> Audit:
    """Audit `classifier` and write `audit.json` and the perturbations to `out`.

    The attacks see the classifier and the photographs. The cohort sets how visible a perturbation may
    be (`Plan.zeta`); apart from that it is only scored on. `preflight` runs before any attack; if it
    finds an error, nothing is attacked. An interrupted audit resumes with its next perturbation.

    Args:
        plan: The settings.
        classifier: The audited model.
        photographs: Of the classifier's shape.
        cohort: Of the classifier's shape and classes.
        out: Folder to write to.
        force: Replace an audit that is already there.
        show_images: Keep a few images of the cohort for the report.
        note: About the cohort, shown in the report.
        command: Recorded in the audit.
        training: Medical images, none of them in the cohort, for methods that learn on ``medical``
            (oracles: upper bounds, never called an attack).
        public: The public network that `classifier` was fine-tuned from, for attacks of T2; its head
            does not matter.
        tracker: Receives progress updates. None: bars on a terminal, lines otherwise; ``Silent()``:
            nothing.
        keep_predictions: Keep the predictions under each perturbation, image by image, in
            ``predictions/``.
        again: If `out` holds a finished audit of the same settings, images and code, return it instead
            of refusing to replace it.
        finish: Called with `out` when everything else is written, such as `write_report`; if it was
            interrupted, the same call runs it again.

    Raises:
        InputError: If an argument is of another type, shapes or classes do not match, a method's
            `training` or `public` is missing, `training` shares images with the cohort, `out` cannot be
            used, or preflight finds an error.
    """
    return run_audit(
        plan,
        AuditInputs(classifier, photographs, cohort, training=training, public=public),
        out,
        force=force,
        show_images=show_images,
        note=note,
        command=command,
        tracker=tracker,
        keep_predictions=keep_predictions,
        again=again,
        finish=finish,
    )


@with_progress
def run_audit(
    plan: Plan,
    inputs: AuditInputs,
    out: Path | str,
    *,
    force: bool = False,
    show_images: bool = False,
    note: str = "",
    command: str = "",
    tracker: Tracker | None = None,
    keep_predictions: bool = False,
    again: bool = False,
    finish: Callable[[Path], object] | None = None,
) -> Audit:
    """Audit a classifier on inputs that belong together; see `run`."""
    _check_arguments(note, command, tracker, finish)
    folder, tracker = check_folder(out), tracker or Silent()
    _report_skipped(inputs.photographs, tracker)
    _report_skipped(inputs.cohort.images, tracker)
    report_duplicates(inputs.cohort, tracker)
    inputs.check(plan)
    ball = plan.ball(inputs.cohort.images)

    fingerprint = audit_fingerprint(plan, inputs, keep_predictions=keep_predictions)
    if again and not force:
        found = find_finished_audit(folder, fingerprint, show_images=show_images)
        if found is not None:
            return finish_audit(found, folder, finish)
    classifier, cohort = fold_batch_norms(inputs.classifier), inputs.cohort
    unfinished = UnfinishedAudit(folder, fingerprint, classifier.class_names, force=force)
    if (found := find_written_audit(unfinished, show_images=show_images)) is not None:
        unfinished.start(show_images=show_images)
        return finish_audit(found, folder, finish, unfinished)

    logits, results = _predict_and_preflight(inputs, classifier, tracker)
    clean = CleanPredictions(cohort, logits.argmax(1))
    unfinished.start(show_images=show_images)
    if keep_predictions:
        write_predictions(folder / PREDICTIONS / "clean.npy", clean.predictions)
    sources, networks, adapted = _prepare_attacks(plan, inputs, classifier, folder, tracker)
    runner = AttackRunner(
        classifier, networks, sources, ball, clean, unfinished, tracker, keep_predictions
    )
    wanted = list_jobs(plan, classifier.class_names)
    made = [runner.run_attack(job, plan.seed, plan.curve) for job in wanted]
    attacks = [item for item in made if item.role == "attack"]
    controls = list(runner.run_controls(plan, attacks))
    check_same_outputs(classifier, cohort, logits)

    examples = None
    if show_images:
        examples = keep_examples(clean, classifier, strongest_of(attacks), folder)
    audit = Audit(
        model=describe_model(inputs.classifier),
        natural=describe_natural(inputs.photographs, folder, adapted),
        cohort=describe_cohort(clean, note, examples),
        budget=describe_budget(plan, ball, classifier),
        perturbations=(*made, *controls),
        environment=describe_environment(command, fingerprint),
        preflight=results,
    )
    save_audit(audit, folder)
    return finish_audit(audit, folder, finish, unfinished)


def _check_arguments(note: object, command: object, tracker: object, finish: object) -> None:
    """Raise if an argument is of another type."""
    check_text(note, "note")
    check_text(command, "command")
    if not isinstance(tracker, Tracker | None):
        raise InputError(
            f"tracker must be a Tracker, such as Silent(), not {describe_value(tracker)}."
        )
    if finish is not None and not callable(finish):
        raise InputError(
            "finish must be a function of the folder, such as write_report, not "
            f"{describe_value(finish)}."
        )


def _report_skipped(images: ImageSet, tracker: Tracker) -> None:
    """Report the first files that were skipped, and how many there are."""
    for file in images.skipped[:SHOWN]:
        tracker.say(f"skipped {quote_text(file.file)}: {quote_text(file.reason, 120)}")
    if images.skipped:
        tracker.say(f"{len(images.skipped)} files of {quote_text(images.spec)} skipped.")


def _predict_and_preflight(
    inputs: AuditInputs, classifier: Classifier, tracker: Tracker
) -> tuple[Logits, tuple[CheckResult, ...]]:
    """Return the clean logits of the folded `classifier` on the cohort, and the preflight results."""
    tracker.start("clean predictions", len(inputs.cohort))
    logits = classifier.logits_all(inputs.cohort.images)
    results = preflight(inputs.classifier, inputs.cohort, logits)
    report_results(results, tracker)
    inputs.classifier.check_determinism()
    tracker.advance(len(inputs.cohort))
    return logits, results


def _prepare_attacks(
    plan: Plan, inputs: AuditInputs, classifier: Classifier, folder: Path, tracker: Tracker
) -> tuple[dict[Source, ImageSet], Networks, AdaptedInfo | None]:
    """Return the images and the networks for attacks, and the record of the adapted photographs."""
    sources: dict[Source, ImageSet] = {"photographs": inputs.photographs}
    if inputs.training is not None:
        sources["medical"] = inputs.training
    aligned = info = None
    if any(method.source == "adapted" for method in (*plan.untargeted, *plan.targeted)):
        adapted, info = _adapt_photographs(plan, inputs, folder, tracker)
        sources["adapted"], aligned = adapted.images, adapted.classifier
    public = None if inputs.public is None else fold_batch_norms(inputs.public)
    return sources, map_networks(classifier, aligned=aligned, public=public), info


def _adapt_photographs(
    plan: Plan, inputs: AuditInputs, folder: Path, tracker: Tracker
) -> tuple[AdaptedPhotographs, AdaptedInfo]:
    """Return the photographs adapted to the classifier, and the record of it."""
    settings = plan.adaptation
    tracker.start("adapting photographs", settings.steps * settings.batch_size)
    generator = torch.Generator().manual_seed(plan.seed)
    started = time.perf_counter()
    with count_passes(inputs.classifier) as passes:
        adapted = settings(
            inputs.classifier, inputs.photographs, generator=generator, advance=tracker.advance
        )
    seconds = time.perf_counter() - started
    return adapted, describe_adapted(adapted, settings, passes, seconds, folder)
