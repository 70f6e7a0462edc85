"""Runs attacks and controls, scores their perturbations, and records them."""

import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch

from straylight.attacks.ball import ROUNDING, Ball
from straylight.attacks.catalogue import CONTROLS, Source, controls_of_kind
from straylight.attacks.protocol import ThreatModel
from straylight.audit.counted_images import CountedImages
from straylight.audit.files import PERTURBATIONS, PREDICTIONS
from straylight.audit.jobs import AttackJob
from straylight.audit.perturbation import CurvePoint, MethodInfo, Perturbation
from straylight.audit.plan import Plan
from straylight.audit.unfinished import UnfinishedAudit
from straylight.core.array_files import write_array
from straylight.core.errors import InputError
from straylight.core.files import make_inner_folder
from straylight.core.progress import Tracker
from straylight.core.tensor_files import read_delta
from straylight.core.tensors import Delta, Labels
from straylight.data.images import ImageSet
from straylight.evaluation.scoring import (
    CleanPredictions,
    count_predictions,
    predict_attacked,
    score,
)
from straylight.models.classifier import Classifier
from straylight.models.pass_counter import PassCounter, count_passes

Networks = dict[tuple[ThreatModel, Source], Classifier]


def map_networks(
    classifier: Classifier, *, aligned: Classifier | None, public: Classifier | None
) -> Networks:
    """Return the network that an attack is given, by its threat model and by what it learns on.

    Args:
        classifier: The target model, for attacks of T1.
        aligned: The same aligned to the adapted photographs, for attacks of T1 that learn on them (None:
            the target model).
        public: The public network, for attacks of T2.
    """
    sources: tuple[Source, ...] = get_args(Source)
    networks: Networks = {("T1", source): classifier for source in sources}
    if aligned is not None:
        networks["T1", "adapted"] = aligned
    if public is not None:
        networks |= {("T2", source): public for source in sources}
    return networks


class _Waypoint(NamedTuple):
    """A perturbation on its way, with its cost so far."""

    delta: Delta
    images_seen: int
    model_passes: int
    seconds: float


@dataclass(frozen=True, eq=False)
class AttackRunner:
    """Makes the perturbations of an audit, scores them, and records them in `unfinished`.

    Attributes:
        classifier: The target model, which everything is scored on.
        networks: The network that an attack is given (see `map_networks`).
        sources: The images that an attack learns on.
        ball: The budget.
        clean: The target model's predictions on the cohort.
        unfinished: The perturbations that are complete.
        tracker: Receives progress updates.
        keep_predictions: Keep the predictions under each perturbation, image by image.
    """

    classifier: Classifier
    networks: Networks
    sources: dict[Source, ImageSet]
    ball: Ball
    clean: CleanPredictions
    unfinished: UnfinishedAudit
    tracker: Tracker
    keep_predictions: bool = False

    def run_attack(self, job: AttackJob, seed: int, curve: int = 0) -> Perturbation:
        """Make one perturbation, unless it is complete; score it at `curve` points on its way."""
        if complete := self.unfinished.find(job.name):
            return complete
        method, target = job.method, None
        if job.target is not None:
            target = self.classifier.class_index(job.target)
        network = self.networks[method.attack.threat_model, method.source]
        images = CountedImages.wrap(self.sources[method.source])
        n_classes = len(self.classifier.class_names)
        planned = method.planned(len(images), n_classes, network.passes_per_step)
        *milestones, _ = _plan_milestones(planned, curve) or [0]  # the last is the end
        waypoints: list[_Waypoint] = []
        seen, delta = 0, torch.zeros(1, *self.classifier.shape)
        generator = torch.Generator().manual_seed(seed)
        self.tracker.start(job.name, planned)
        started = time.perf_counter()
        with count_passes(network) as passes:
            for snapshot in method.snapshots(
                network, images, self.ball, target=target, generator=generator
            ):
                self.tracker.advance(snapshot.images_seen - seen)
                delta, seen = snapshot
                if milestones and seen >= milestones[0]:
                    milestones = [point for point in milestones if point > seen]
                    elapsed = time.perf_counter() - started
                    waypoints.append(_Waypoint(delta, seen, passes.total, elapsed))
        seconds = time.perf_counter() - started
        if curve:
            waypoints = [point for point in waypoints if point.images_seen < seen]
            waypoints.append(_Waypoint(delta, seen, passes.total, seconds))
        return self._record(
            job.name,
            delta,
            passes,
            role="reference" if method.threat_model == "oracle" else "attack",
            threat_model=method.threat_model,
            method=MethodInfo.from_json(method.to_json()),
            source=method.source,
            target=job.target,
            copy_of=None,
            seed=seed,
            images_seen=seen,
            n_distinct_seen=images.n_distinct,
            seconds=seconds,
            curve=tuple(map(self._score_waypoint, waypoints)),
        )

    def _score_waypoint(self, point: _Waypoint) -> CurvePoint:
        """Return a point of a curve: its cost, and how many images it fools."""
        n_fooled = score(self.classifier, point.delta, self.clean).fooled.hits
        return CurvePoint(point.images_seen, point.model_passes, point.seconds, n_fooled)

    def run_controls(self, plan: Plan, attacks: list[Perturbation]) -> Iterator[Perturbation]:
        """Yield random perturbations of the full budget, and a copy of each attack's spectrum."""
        wanted: list[tuple[str, str, Perturbation | None, int]] = [
            (f"{kind} {k + 1}", kind, None, plan.seed + k)
            for kind in controls_of_kind("noise", "pattern")
            for k in range(plan.control_seeds)
        ]
        wanted += [
            (f"{kind} {attack.name}", kind, attack, plan.seed)
            for kind in controls_of_kind("spectrum")
            for attack in attacks
        ]
        self.tracker.start("controls", len(wanted))
        for name, kind, original, seed in wanted:
            yield self.unfinished.find(name) or self._make_control(name, kind, original, seed)
            self.tracker.advance(1)

    def _make_control(
        self, name: str, kind: str, original: Perturbation | None, seed: int
    ) -> Perturbation:
        """Make one control; `original` is the attack whose spectrum it copies."""
        control = CONTROLS[kind].make()
        started = time.perf_counter()
        original_delta = (
            torch.zeros(1, *self.classifier.shape)
            if original is None
            else read_delta(self.unfinished.folder / original.file, original.sha256)
        )
        delta = control(original_delta, self.ball, generator=torch.Generator().manual_seed(seed))
        return self._record(
            name,
            delta,
            PassCounter(),
            role="control",
            threat_model=CONTROLS[kind].threat_model,
            method=MethodInfo(kind, asdict(control)),
            source=None,
            target=None if original is None else original.target,
            copy_of=None if original is None else original.name,
            seed=seed,
            images_seen=0,
            seconds=time.perf_counter() - started,
        )

    def _record(self, name: str, delta: Delta, passes: PassCounter, **fields: Any) -> Perturbation:  # noqa: ANN401
        """Score a perturbation, write its file, and record it as complete."""
        _check_within_budget(name, delta, self.ball)
        slug = re.sub(r"[^A-Za-z0-9]+", "-", name)[:100].strip("-").lower()
        file_name = f"{self.unfinished.next_number():02d}-{slug}.npy"
        file = f"{PERTURBATIONS}/{file_name}"
        sha256 = write_array(self.unfinished.folder / file, delta.numpy())
        predictions, raw = predict_attacked(self.classifier, delta, self.clean)
        if self.keep_predictions:
            write_predictions(self.unfinished.folder / PREDICTIONS / file_name, predictions)
        perturbation = Perturbation(
            name=name,
            n_forward=passes.forward,
            n_backward=passes.backward,
            score=count_predictions(self.clean, predictions, raw),
            l2=float(delta.norm()),
            linf=float(delta.abs().max()),
            file=file,
            sha256=sha256,
            **fields,
        )
        self.unfinished.add(perturbation)
        return perturbation


def _check_within_budget(name: str, delta: Delta, ball: Ball) -> None:
    """Raise if a perturbation is not finite, or larger than the budget allows.

    Raises:
        InputError: If so; it is not scored.
    """
    size = ball.size(delta)
    if not size <= ball.eps * ROUNDING:  # also false for NaN
        raise InputError(
            f"{name} made a perturbation of size {size:.6g}, the {ball.norm} budget is {ball.eps:.6g}: "
            "it is not scored. The attack is wrong, or the model has gradients that are not finite."
        )


def write_predictions(path: Path, labels: Labels) -> None:
    """Write the predictions on the images of a cohort, in its order, as int16."""
    make_inner_folder(path.parent)
    write_array(path, labels.short().numpy())


def _plan_milestones(planned: int, n: int) -> list[int]:
    """Return how many photographs have been looked at, at `n` points: divided by powers of two.

    >>> _plan_milestones(3200, 4)
    [400, 800, 1600, 3200]
    """
    return [planned >> (n - 1 - k) for k in range(n)]
