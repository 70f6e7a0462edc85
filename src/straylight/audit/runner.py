"""Where perturbations are made and scored, and entered in the ledger."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from straylight.attacks.ball import ROUNDING, Ball
from straylight.attacks.catalogue import CONTROLS
from straylight.attacks.controls import PhaseRandomised
from straylight.attacks.method import Method, Source
from straylight.attacks.methods import describe, planned, snapshots
from straylight.attacks.protocol import ThreatModel
from straylight.audit.photographs_used import Looks
from straylight.audit.plan import Job, Plan
from straylight.audit.results import Perturbation
from straylight.audit.schema import Json
from straylight.audit.unfinished import PERTURBATIONS, PREDICTIONS, Ledger
from straylight.core.errors import InputError
from straylight.core.files import make_inner_folder, read_delta, write_array
from straylight.core.progress import Tracker
from straylight.core.tensors import Delta, Labels
from straylight.data.images import ImageSet
from straylight.evaluation.scoring import Clean, count, predict_attacked, score
from straylight.models.classifier import Classifier, Passes, count_passes


@dataclass(frozen=True, eq=False)
class Bench:
    """Makes perturbations, scores them, and enters them in the ledger.

    Attributes:
        networks: What an attack of each threat model is given: the victim (T1), and the public network
            (T2) if there is one.
        sources: What attacks learn on.
        ball: The budget.
        clean: The victim's predictions on the cohort.
        ledger: The perturbations finished so far.
        tracker: Is told the progress.
        aligned: What an attack on adapted photographs learns on, if that is not the victim as it is.
        keep_predictions: Keep the predictions under each perturbation, image by image.
    """

    networks: dict[ThreatModel, Classifier]
    sources: dict[Source, ImageSet]
    ball: Ball
    clean: Clean
    ledger: Ledger
    tracker: Tracker
    aligned: Classifier | None = None
    keep_predictions: bool = False

    @property
    def classifier(self) -> Classifier:
        """The victim, which everything is scored on."""
        return self.networks["T1"]

    def attack(self, job: Job, seed: int, curve: int = 0) -> Perturbation:
        """Make one perturbation, unless the ledger has it; score it at `curve` points on its way."""
        if done := self.ledger.find(job.name):
            return done
        target = None if job.target is None else self.classifier.class_index(job.target)
        generator = torch.Generator().manual_seed(seed)
        seen, delta = 0, torch.zeros(1, *self.classifier.shape)
        attack, images = job.method.attack, Looks.at(self.sources[job.method.source])
        model = self.learned_on(job.method)
        n_classes = len(self.classifier.class_names)
        total = planned(attack, len(images), n_classes, model.passes_per_step)
        points: list[tuple[Delta, Json]] = []
        self.tracker.start(job.name, total)
        started = time.perf_counter()

        def mark() -> None:
            elapsed = time.perf_counter() - started
            cost = {"images_seen": seen, "model_passes": passes.total, "seconds": elapsed}
            points.append((delta, cost))

        *marks, _ = milestones(total, curve) or [0]  # the last is the end
        with count_passes(model) as passes:
            for snapshot in snapshots(
                attack, model, images, self.ball, target=target, generator=generator
            ):
                self.tracker.advance(snapshot.images_seen - seen)
                delta, seen = snapshot
                if marks and seen >= marks[0]:
                    marks = [point for point in marks if point > seen]
                    mark()
        seconds = time.perf_counter() - started
        if curve:
            points = [point for point in points if point[1]["images_seen"] < seen]
            mark()
        return self.record(
            job.name,
            delta,
            passes,
            role="reference" if job.method.threat_model == "oracle" else "attack",
            threat_model=job.method.threat_model,
            method=describe(attack),
            source=job.method.source,
            target=job.target,
            copy_of=None,
            seed=seed,
            images_seen=seen,
            n_distinct_seen=images.n_distinct,
            seconds=seconds,
            curve=tuple(self.scored(*point) for point in points),
        )

    def learned_on(self, method: Method) -> Classifier:
        """Return the network that a method is given."""
        if self.aligned is not None and (method.source, method.threat_model) == ("adapted", "T1"):
            return self.aligned
        return self.networks[method.attack.threat_model]

    def scored(self, delta: Delta, cost: Json) -> Json:
        """Add to a point of a curve how many images it fools."""
        return cost | {"n_fooled": score(self.classifier, delta, self.clean).fooled.hits}

    def controls(self, plan: Plan, attacks: list[Perturbation]) -> Iterator[Perturbation]:
        """Yield random perturbations of the full budget, and a phase-randomised copy of each attack."""
        wanted: list[tuple[str, str, Perturbation | None, int]] = [
            (f"{kind} {k + 1}", kind, None, plan.seed + k)
            for kind, entry in CONTROLS.items()
            if entry.make is not PhaseRandomised
            for k in range(plan.control_seeds)
        ]
        wanted += [
            (f"phase-randomised {attack.name}", "phase-randomised", attack, plan.seed)
            for attack in attacks
        ]
        self.tracker.start("controls", len(wanted))
        for name, kind, original, seed in wanted:
            yield self.ledger.find(name) or self.control(name, kind, original, seed)
            self.tracker.advance(1)

    def control(
        self, name: str, kind: str, original: Perturbation | None, seed: int
    ) -> Perturbation:
        """Make one control; `original` is the attack that it copies the spectrum of."""
        method = CONTROLS[kind].make()
        started = time.perf_counter()
        reference = (
            torch.zeros(1, *self.classifier.shape)
            if original is None
            else read_delta(self.ledger.folder / original.file, original.sha256)
        )
        delta = method(reference, self.ball, generator=torch.Generator().manual_seed(seed))
        return self.record(
            name,
            delta,
            Passes(),
            role="control",
            threat_model=CONTROLS[kind].threat_model,
            method=describe(method),
            source=None,
            target=None if original is None else original.target,
            copy_of=None if original is None else original.name,
            seed=seed,
            images_seen=0,
            seconds=time.perf_counter() - started,
        )

    def record(self, name: str, delta: Delta, passes: Passes, **fields: Any) -> Perturbation:  # noqa: ANN401
        """Score a perturbation, write its file, and enter it in the ledger."""
        check_inside(name, delta, self.ball)
        slug = re.sub(r"[^A-Za-z0-9]+", "-", name)[:100].strip("-").lower()
        own = f"{self.ledger.next_number():02d}-{slug}.npy"
        file = f"{PERTURBATIONS}/{own}"
        sha256 = write_array(self.ledger.folder / file, delta.numpy())
        predictions, raw = predict_attacked(self.classifier, delta, self.clean)
        if self.keep_predictions:
            write_labels(self.ledger.folder / PREDICTIONS / own, predictions)
        perturbation = Perturbation(
            name=name,
            n_forward=passes.forward,
            n_backward=passes.backward,
            score=count(self.clean, predictions, raw),
            l2=float(delta.norm()),
            linf=float(delta.abs().max()),
            file=file,
            sha256=sha256,
            **fields,
        )
        self.ledger.add(perturbation)
        return perturbation


def count_planned(wanted: list[Job], plan: Plan) -> int:
    """Count the perturbations that an audit will make: attacks and references, and their controls."""
    random = sum(entry.make is not PhaseRandomised for entry in CONTROLS.values())
    copied = sum(job.method.threat_model != "oracle" for job in wanted)
    return len(wanted) + random * plan.control_seeds + copied


def check_inside(name: str, delta: Delta, ball: Ball) -> None:
    """Refuse a perturbation that the budget does not allow.

    A classifier takes NaN for its first class, so it would be counted as a strong attack.

    Raises:
        InputError: If it is not finite, or larger than the radius.
    """
    size = ball.size(delta)
    if not size <= ball.eps * ROUNDING:  # also false for NaN
        raise InputError(
            f"{name} made a perturbation of size {size:.6g}, the {ball.norm} budget is {ball.eps:.6g}: "
            "it is not scored. The attack is wrong, or the model has gradients that are not finite."
        )


def write_labels(path: Path, labels: Labels) -> None:
    """Write the predictions for the images of a cohort, in its order, as int16."""
    make_inner_folder(path.parent)
    write_array(path, labels.short().numpy())


def milestones(planned: int, n: int) -> list[int]:
    """Divide the photographs to be looked at by powers of two.

    >>> milestones(3200, 4)
    [400, 800, 1600, 3200]
    """
    return [planned >> (n - 1 - k) for k in range(n)]
