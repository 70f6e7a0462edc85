"""The audit: attacks made from photographs, controls of equal size, both scored on a cohort."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from straylight.attacks.adaptation.adapt import Adapted
from straylight.attacks.method import Source
from straylight.attacks.methods import planned
from straylight.attacks.protocol import ThreatModel
from straylight.audit.finished import finished, finished_audit, written_audit
from straylight.audit.plan import Job, Plan, jobs
from straylight.audit.provenance import (
    describe_adapted,
    describe_budget,
    describe_cohort,
    describe_environment,
    describe_model,
    describe_natural,
    fingerprint,
    keep_examples,
)
from straylight.audit.results import Audit
from straylight.audit.runner import Bench, count_planned, write_labels
from straylight.audit.storage import check_room, save_audit
from straylight.audit.unfinished import PREDICTIONS, Ledger
from straylight.cohort.load import Cohort
from straylight.cohort.overlap import check_photographs, report_duplicates
from straylight.core.checks import check_kind, folder_of, said, text
from straylight.core.errors import InputError, listed, quoted
from straylight.core.progress import Silent, Tracker, shown
from straylight.data.images import ImageSet
from straylight.evaluation.preflight.run import announce, check_unchanged, preflight
from straylight.evaluation.scoring import Clean
from straylight.models.classifier import Classifier, count_passes
from straylight.models.folding import fold

SHOWN = 3  # files left out that are named


@shown
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
    be (`Plan.zeta`); it is then only scored on. What `preflight` finds comes before any attack, and its
    errors in the place of an audit. A killed audit goes on with its next perturbation.

    Args:
        plan: The settings.
        classifier: The audited model.
        photographs: Of the classifier's shape.
        cohort: Of the classifier's shape and classes.
        out: Folder to write to.
        force: Replace an audit that is already there.
        show_images: Keep a few images of the cohort for the report.
        note: What a reader must know of the cohort.
        command: Recorded in the audit.
        training: Medical images, none of them in the cohort, for methods that learn on ``medical``
            (oracles: upper bounds, never called an attack).
        public: The public network that `classifier` was fine-tuned from, for attacks of T2; its head
            does not matter.
        tracker: Is told the progress. None: bars on a terminal, lines otherwise; ``Silent()``: nothing.
        keep_predictions: Keep the predictions under each perturbation, image by image, in
            ``predictions/``.
        again: Return a finished audit of the same settings, images and code that is in `out`, in the
            place of refusing to replace it.
        finish: Is given `out` when all else is written, such as `write_report`; where it was killed, the
            same call does it again.

    Raises:
        InputError: If an argument is of another type, shapes or classes do not match, a method's
            `training` or `public` is missing, `training` shares images with the cohort, `out` cannot be
            used, or preflight finds an error.
    """
    check_types(
        plan,
        classifier,
        photographs,
        cohort,
        training=training,
        public=public,
        note=note,
        command=command,
        tracker=tracker,
        finish=finish,
    )
    folder = folder_of(out)
    tracker = tracker or Silent()
    for images in (photographs, cohort.images):
        report_skipped(images, tracker)
    wanted = jobs(plan, classifier.class_names)
    needed = {job.method.source for job in wanted}
    report_duplicates(cohort, tracker)
    check_inputs(wanted, plan, classifier, photographs, cohort, training=training, public=public)
    ball = plan.ball(cohort.images)
    digest = fingerprint(
        plan,
        classifier,
        photographs,
        cohort,
        training=training,
        public=public,
        keep_predictions=keep_predictions,
    )
    if again and not force and (found := finished_audit(folder, digest, show_images=show_images)):
        return finished(found, folder, finish)
    ledger = Ledger(folder, digest, classifier.class_names, force=force)
    if (found := written_audit(ledger, show_images=show_images)) is not None:
        ledger.open(show_images=show_images)
        return finished(found, folder, finish, ledger)
    folded = fold(classifier)
    tracker.start("clean predictions", len(cohort))
    logits = folded.logits_all(cohort.images)
    clean = Clean(cohort, logits.argmax(1))
    findings = preflight(classifier, cohort, logits)
    announce(findings, tracker)
    classifier.check_steady()
    tracker.advance(len(cohort))
    ledger.open(show_images=show_images)
    sources: dict[Source, ImageSet] = {"photographs": photographs}
    networks: dict[ThreatModel, Classifier] = {"T1": folded}
    adapted = aligned = None
    if "adapted" in needed:
        surrogates, adapted = adapt(plan, classifier, photographs, folder, tracker)
        sources["adapted"], aligned = surrogates.images, surrogates.classifier
    if training is not None:
        sources["medical"] = training
    if public is not None:
        networks["T2"] = fold(public)
    bench = Bench(networks, sources, ball, clean, ledger, tracker, aligned, keep_predictions)
    if keep_predictions:
        write_labels(folder / PREDICTIONS / "clean.npy", clean.predictions)
    made = [bench.attack(job, plan.seed, plan.curve) for job in wanted]
    attacks = [item for item in made if item.role == "attack"]
    controls = list(bench.controls(plan, attacks))
    check_unchanged(folded, cohort, logits)
    strongest = max(attacks, key=lambda attack: attack.score.fooled.rate)
    examples = keep_examples(clean, folded, strongest, folder) if show_images else None
    audit = Audit(
        model=describe_model(classifier),
        natural=describe_natural(photographs, folder, adapted),
        cohort=describe_cohort(clean, note, examples),
        budget=describe_budget(plan, ball, classifier),
        perturbations=(*made, *controls),
        environment=describe_environment(command, digest),
        preflight=findings,
    )
    save_audit(audit, folder)
    return finished(audit, folder, finish, ledger)


def report_skipped(images: ImageSet, tracker: Tracker) -> None:
    """Report the first files that were left out, and how many there are."""
    for file in images.skipped[:SHOWN]:
        tracker.say(f"skipped {quoted(file.file)}: {quoted(file.reason, 120)}")
    if images.skipped:
        tracker.say(f"{len(images.skipped)} files of {quoted(images.spec)} skipped.")


def check_types(
    plan: object,
    classifier: object,
    photographs: object,
    cohort: object,
    *,
    training: object = None,
    public: object = None,
    note: object = "",
    command: object = "",
    tracker: object = None,
    finish: object = None,
) -> None:
    """Check the types of what an audit is run on.

    Raises:
        InputError: If one is wrong; the message names the parameter.
    """
    for name, given, kind, remedy in (
        ("plan", plan, Plan, "Plan(zeta=0.02)"),
        ("classifier", classifier, Classifier, "load_model(...) or Classifier(network, ...)"),
        ("photographs", photographs, ImageSet, "load_natural(...)"),
        ("cohort", cohort, Cohort, "load_cohort(...)"),
        ("training", training, ImageSet | None, "load_cohort(...).images"),
        ("public", public, Classifier | None, "public_network(...)"),
    ):
        check_kind(given, name, kind, remedy)
    text(note, "note")
    text(command, "command")
    if not isinstance(tracker, Tracker | None):
        raise InputError(f"tracker must be a Tracker, such as Silent(), not {said(tracker)}.")
    if finish is not None and not callable(finish):
        raise InputError(
            f"finish must be a function of the folder, such as write_report, not {said(finish)}."
        )


def check_inputs(
    wanted: list[Job],
    plan: Plan,
    classifier: Classifier,
    photographs: ImageSet,
    cohort: Cohort,
    *,
    training: ImageSet | None,
    public: Classifier | None,
) -> None:
    """Check that the images fit the classifier and the threat models, and that every attack can run."""
    sources = {job.method.source for job in wanted}
    if sources == {"medical"}:
        raise InputError("every method learns on medical images: give at least one attack.")
    check_match(classifier, photographs, cohort, training)
    check_room(
        count_planned(wanted, plan),
        classifier.class_names,
        len(cohort),
        points=plan.curve,
        skipped=tuple((f.file, f.reason) for f in (*photographs.skipped, *cohort.images.skipped)),
    )
    check_photographs(photographs, cohort.images, training)
    if "medical" in sources:
        check_training(training, cohort)
    if any(job.method.attack.threat_model == "T2" for job in wanted):
        check_public(classifier, public)
    classifier.check()
    check_sizes(wanted, plan, classifier, photographs, training)


def check_match(
    classifier: Classifier, photographs: ImageSet, cohort: Cohort, training: ImageSet | None
) -> None:
    """Check that all images fit the classifier."""
    for images in (photographs, cohort.images, training):
        if images is not None and images.shape != classifier.shape:
            raise InputError(
                f"{quoted(images.spec)} has images of shape {images.shape}, "
                f"the classifier takes {classifier.shape}."
            )
    if tuple(cohort.class_names) != classifier.class_names:
        raise InputError(
            f"{quoted(cohort.images.spec)} has the classes {listed(cohort.class_names)}; "
            f"the classifier has {listed(classifier.class_names)}."
        )


def check_training(training: ImageSet | None, cohort: Cohort) -> None:
    """Check that an oracle has images to learn on, and none that it is scored on."""
    if training is None:
        raise InputError(
            "a method learns on medical images: give them (--training), in Python as training."
        )
    shared = len(training.digests() & cohort.images.digests())
    if shared:
        raise InputError(
            f"{shared} images of {quoted(training.spec)} are in {quoted(cohort.images.spec)} as well: "
            "an oracle may not learn on what it is scored on."
        )


def check_sizes(
    wanted: list[Job],
    plan: Plan,
    classifier: Classifier,
    photographs: ImageSet,
    training: ImageSet | None,
) -> None:
    """Let every attack say, before the first is run, what it cannot do with so many images."""
    sizes = {"photographs": len(photographs), "adapted": plan.adaptation.n}
    sizes |= {"medical": 0 if training is None else len(training)}
    for job in wanted:
        source, n_classes = job.method.source, len(classifier.class_names)
        adapted = source == "adapted"
        cost = plan.adaptation.cost(classifier) if adapted else classifier.passes_per_step
        planned(job.method.attack, sizes[source], n_classes, cost)


def check_public(classifier: Classifier, public: Classifier | None) -> None:
    """Check that an attack of T2 has a network to work on."""
    if public is None:
        raise InputError(
            "lift and disrupt work on the public network that the classifier was fine-tuned from: "
            "give its weights (--public), in Python the network as public."
        )
    if public.shape != classifier.shape:
        raise InputError(
            f"the public network takes {public.shape}, the classifier {classifier.shape}."
        )


def adapt(
    plan: Plan, classifier: Classifier, photographs: ImageSet, out: Path, tracker: Tracker
) -> tuple[Adapted, dict[str, Any]]:
    """Adapt the photographs to the classifier; return the surrogates, and what to record of them."""
    settings = plan.adaptation
    tracker.start("adapting photographs", settings.steps * settings.batch_size)
    generator = torch.Generator().manual_seed(plan.seed)
    started = time.perf_counter()
    with count_passes(classifier) as passes:
        found = settings(classifier, photographs, generator=generator, advance=tracker.advance)
    return found, describe_adapted(found, settings, passes, time.perf_counter() - started, out)
