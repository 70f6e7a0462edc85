"""`straylight audit`."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.console import Console

from straylight.attacks.adaptation.adapt import Adaptation
from straylight.audit.plan import DEFAULT_METHODS, Plan, jobs, name_of
from straylight.audit.run import run
from straylight.audit.unfinished import REPORT, occupied
from straylight.cli.options import Subject
from straylight.cli.output import command_line, show
from straylight.core.checks import folder_of
from straylight.core.errors import InputError, quoted
from straylight.core.norms import Norm
from straylight.core.progress import progress
from straylight.core.settings import parse_settings
from straylight.core.tensors import LEVELS
from straylight.data.images import ImageSet
from straylight.data.photographs.load import load_natural
from straylight.models.classifier import Classifier
from straylight.report.render import write_report
from straylight.training.finetune import public_network

ALL = "all"
FLOAT, INT, STR = (
    tyro.conf.arg(metavar=kind, help_behavior_hint="") for kind in ("FLOAT", "INT", "STR")
)
N_TRAINING = 1000


@dataclass(frozen=True, kw_only=True)
class AuditCommand(Subject):
    """Attack a classifier with perturbations made from photographs, and score them on its images.

    A method is an attack of 'straylight attacks', and what it learns on:
      auto                the strongest: every class and none tried, on adapted photographs
      gradient            photographs as they are
      gradient@adapted    photographs made to look like the classifier's own images, by its statistics
      gradient@medical    an upper bound: medical images of --training
      auto:passes=25000   with a setting
      python:mine:Own     a class Own of mine.py, which is run (see docs/attacks.md)

    For example:
      straylight audit --model models/skin --natural photos/ --cohort skin/test.csv
        --norm l2 --zeta 0.02 --target all --out audits/skin
    """

    natural: str
    """The attacker's photographs: a folder (any depth), .zip, .tar, several ('shards/{000..009}.tar'),
    .npy, .npz, hf:NAME_OR_FOLDER:SPLIT, builtin:photos; drawn as in the paper: imagenet:FOLDER or
    openimages:FOLDER. Drawings, where there are none: builtin:noise, builtin:jigsaw,
    builtin:dead-leaves."""
    out: Path
    """Folder for audit.json, the perturbations and report.html; a killed audit there goes on."""
    norm: Norm = "l2"
    """Norm that the perturbation is bounded in."""
    zeta: Annotated[str | None, FLOAT] = None
    """Budget as a share of the mean norm of the medical images: 0.02, or 2%."""
    eps: Annotated[str | None, FLOAT] = None
    """Budget on images in [0, 1], instead of --zeta, such as 8/255."""
    eps_levels: Annotated[str | None, FLOAT] = None
    """Budget in grey levels of 0..255, instead of --zeta: '--norm linf --eps-levels 8'."""
    method: tuple[str, ...] = tuple(map(name_of, DEFAULT_METHODS))
    """Attacks, as NAME[@SOURCE][:SETTING=VALUE,...]; one of your own is python:MODULE:CLASS."""
    target: tuple[str, ...] = ()
    """Classes to make targeted perturbations for, or 'all'."""
    targeted_method: tuple[str, ...] = ()
    """Attacks to aim at the targets (default: those of --method)."""
    photographs: Annotated[int | None, INT] = None
    """How many photographs to use (default: all; 100,000 of imagenet: and openimages:)."""
    no_cache: bool = False
    """Neither keep the decoded photographs on the disk nor take them from there."""
    adaptation: str = ""
    """Of @adapted: n=3000,steps=120,batch_size=24,layers=20,smallest_crop=0.15,mix=0.5,alignment=256."""
    training: Annotated[str | None, STR] = None
    """For methods @medical: labelled medical images, none of them in --cohort."""
    public: Annotated[str | None, STR] = None
    """For lift and disrupt: the public weights (.safetensors, or 'pretrained') that it came from."""
    control_seeds: int = 3
    """Random controls of each kind."""
    curve: int = 0
    """Score each attack at this many points on its way as well, and draw its curve."""
    seed: int = 0
    """Same seed and threads: same figures."""
    show_images: bool = False
    """Embed a few of the medical images in the report; leave it off for patients' images."""
    force: bool = False
    """Replace an audit that is already in --out."""
    json: bool = False
    """Print the audit as JSON instead of a table."""

    def run(self, out: Console, err: Console) -> None:
        plan = self.plan()
        if not self.force and (folder_of(self.out) / REPORT).exists():
            occupied(self.out, force=False)
        classifier = self.load_classifier()
        if self.target == (ALL,):
            plan = replace(plan, targets=classifier.class_names)
        jobs(plan, classifier.class_names)
        photographs = load_natural(
            self.natural,
            classifier.shape,
            n=self.photographs,
            seed=self.seed,
            cache=not self.no_cache,
        )
        cohort = self.load_labelled(self.cohort, classifier)
        public = None if self.public is None else public_network(classifier, self.public)
        training = None if self.training is None else self.load_training(classifier)
        with progress(err) as tracker:
            audit = run(
                plan,
                classifier,
                photographs,
                cohort,
                self.out,
                force=self.force,
                show_images=self.show_images,
                command=command_line(),
                training=training,
                public=public,
                tracker=tracker,
                finish=write_report,
            )
        show(audit, self.out, out, as_json=self.json)

    def load_training(self, classifier: Classifier) -> ImageSet:
        """Load the images of an oracle: as many as there are photographs at most, drawn at random."""
        images = self.load_labelled(self.training or "", classifier).images
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(images), generator=generator)[: self.photographs or N_TRAINING]
        return images.subset(chosen)

    def plan(self) -> Plan:
        """Turn the options into settings; the targets are not yet known to be classes."""
        budgets = {"--zeta": self.zeta, "--eps": self.eps, "--eps-levels": self.eps_levels}
        given = [name for name, text in budgets.items() if text is not None]
        if len(given) > 1:
            raise InputError(
                f"give either zeta or eps as the budget, and not {' and '.join(given)}."
            )
        if self.eps_levels is not None and "/" in self.eps_levels:
            raise InputError(
                "--eps-levels is a number of grey levels of 255, not a fraction: 8/255 is --eps 8/255, or "
                "--eps-levels 8."
            )
        levels = number("--eps-levels", self.eps_levels, "8", most=float(LEVELS))
        eps = number("--eps", self.eps, "8/255")
        return Plan(
            norm=self.norm,
            zeta=number("--zeta", self.zeta, "0.02 or 2%"),
            eps=eps if levels is None else levels / LEVELS,
            methods=self.method,
            targets=self.target,
            targeted_methods=self.targeted_method or None,
            adaptation=parse_settings(Adaptation, "adaptation", self.adaptation),
            control_seeds=self.control_seeds,
            curve=self.curve,
            seed=self.seed,
        )


def number(option: str, text: str | None, example: str, most: float = math.inf) -> float | None:
    """Read a number, a fraction or, where the example has one, a percentage.

    >>> number("--zeta", "2 %", "0.02 or 2%"), number("--eps", "8/255", "8/255") == 8 / 255
    (0.02, True)

    Raises:
        InputError: If it is none of these, or larger than `most`.
    """
    if text is None:
        return None
    try:
        if "%" in example and text.rstrip().endswith("%"):
            found = float(text.rstrip().removesuffix("%")) / 100
        else:
            above, slash, below = text.partition("/")
            found = float(above) / float(below if slash else 1)
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"{option} must be a number, such as {example}, not '{quoted(text, 40)}'."
        ) from None
    if found > most:
        raise InputError(f"{option} must be at most {most:g}, not {found:g}.")
    return found
