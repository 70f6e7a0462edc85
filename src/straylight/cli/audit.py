"""`straylight audit`."""

import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from straylight.cli.options import ModelAndCohortOptions
from straylight.cli.output import command_line
from straylight.core.checks import check_folder
from straylight.core.conventions import LEVELS, Norm
from straylight.core.errors import InputError, quote_text

if TYPE_CHECKING:
    import rich.console

ALL = "all"
DEFAULT_METHODS = ("auto", "gradient", "sequential")  # those of `Plan`
FLOAT, STR = (tyro.conf.arg(metavar=kind, help_behavior_hint="") for kind in ("FLOAT", "STR"))
ADAPTATION = "n=3000,steps=120,batch_size=24,layers=20,smallest_crop=0.15,mix=0.5,alignment=256"


def _default_hint(default: str, metavar: str | None = None) -> object:
    """Describe an option whose default is not a value that can be typed."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True, kw_only=True)
class AuditCommand(ModelAndCohortOptions):
    """Attack a classifier with perturbations made from photographs, and score them on medical images.

    A method is an attack (see 'straylight attacks') and the images that it learns on:
      auto                       the strongest: tries each class and none, on adapted photographs
      gradient                   photographs as they are
      gradient@adapted           photographs adapted to the statistics stored in the classifier
      gradient@medical           an upper bound: the medical images of --training
      auto:image_passes=25000    with a setting
      python:mine:Own            the class Own of mine.py, which is executed (see docs/own-attack.md)

    For example:
      straylight audit --model models/skin --natural photos/ --cohort skin/test.csv
        --norm l2 --zeta 0.02 --target all --out audits/skin
    """

    natural: str
    """The attacker's photographs. One of:
    - a folder (searched at any depth), .zip or .tar
    - several archives, such as 'shards/{000..009}.tar'
    - FILE.npy or FILE.npz
    - hf:NAME_OR_FOLDER:SPLIT
    - builtin:photos
    - imagenet:FOLDER or openimages:FOLDER, drawn as in the paper
    - drawings instead of photographs: builtin:noise, builtin:jigsaw, builtin:dead-leaves"""
    out: Path
    """Folder for audit.json, the perturbations and report.html; an interrupted audit resumes there."""
    norm: Norm = "l2"
    """Norm that bounds the perturbation."""
    zeta: Annotated[str | None, FLOAT] = None
    """Budget as a share of the mean norm of the medical images: 0.02, or 2%."""
    eps: Annotated[str | None, FLOAT] = None
    """Budget for images in [0, 1], instead of --zeta, such as 8/255."""
    eps_levels: Annotated[str | None, FLOAT] = None
    """Budget in grey levels (0 to 255), instead of --zeta: '--norm linf --eps-levels 8'."""
    method: tuple[str, ...] = DEFAULT_METHODS
    """Methods, as NAME[@SOURCE][:SETTING=VALUE,...] or python:MODULE:CLASS."""
    target: Annotated[tuple[str, ...], _default_hint("none")] = ()
    """Classes to make targeted perturbations for, or 'all'."""
    targeted_method: Annotated[tuple[str, ...], _default_hint("those of --method")] = ()
    """Methods for the targeted perturbations."""
    photographs: Annotated[
        int | None, _default_hint("all, or 100,000 of imagenet: and openimages:", "INT")
    ] = None
    """Number of photographs to use."""
    no_cache: bool = False
    """Do not use the cache of decoded photographs, neither to read nor to write."""
    adaptation: Annotated[str, _default_hint(ADAPTATION)] = ""
    """Settings of @adapted, as NAME=VALUE,..."""
    training: Annotated[str | None, STR] = None
    """For @medical methods: labelled medical images, none of which is in --cohort."""
    public: Annotated[str | None, STR] = None
    """For lift and disrupt: public weights the model was trained from (.safetensors or 'pretrained')."""
    control_seeds: int = 3
    """Number of random controls of each kind."""
    curve: int = 0
    """Also score each attack at this many points before its end, and draw its curve."""
    seed: int = 0
    """The same seed and number of threads give the same figures."""
    show_images: bool = False
    """Embed a few of the medical images in the report; do not use it for patients' images."""
    force: bool = False
    """Replace an audit that is already in --out."""
    json: bool = False
    """Print the audit as JSON instead of a table."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        settings = self.plan_settings()
        from straylight.attacks.adaptation.adapt import Adaptation
        from straylight.audit.files import REPORT, holds_finished_audit
        from straylight.audit.inputs import load_inputs
        from straylight.audit.jobs import list_jobs
        from straylight.audit.plan import Plan
        from straylight.audit.run import run_audit
        from straylight.cli.audit_table import print_audit
        from straylight.cli.load import load_model_of
        from straylight.cohort.manifest import Reading
        from straylight.core.progress import show_progress
        from straylight.core.settings import parse_settings
        from straylight.data.photographs.load import load_natural
        from straylight.report.render import write_report

        adaptation = parse_settings(Adaptation, "adaptation", self.adaptation)
        plan = Plan(**settings, adaptation=adaptation)
        if not self.force and (check_folder(self.out) / REPORT).exists():
            holds_finished_audit(self.out, force=False)
        classifier = load_model_of(self)
        if self.target == (ALL,):
            plan = replace(plan, targets=classifier.class_names)
        list_jobs(plan, classifier.class_names)
        inputs = load_inputs(
            classifier,
            natural=self.natural,
            cohort=self.cohort,
            training=self.training,
            public=self.public,
            n_photographs=self.photographs,
            seed=self.seed,
            reading=parse_settings(Reading, "reading", self.reading),
            load_photographs=partial(load_natural, cache=not self.no_cache),
        )
        with show_progress(err) as tracker:
            audit = run_audit(
                plan,
                inputs,
                self.out,
                force=self.force,
                show_images=self.show_images,
                command=command_line(),
                tracker=tracker,
                finish=write_report,
            )
        print_audit(audit, self.out, out, as_json=self.json)

    def plan_settings(self) -> dict[str, Any]:
        """Return the arguments of `Plan`, except the adaptation.

        Raises:
            InputError: If a budget is not a number, or more than one is given.
        """
        budgets = {"--zeta": self.zeta, "--eps": self.eps, "--eps-levels": self.eps_levels}
        given = [name for name, text in budgets.items() if text is not None]
        if len(given) > 1:
            raise InputError(f"give either zeta or eps as the budget, not {' and '.join(given)}.")
        if self.eps_levels is not None and "/" in self.eps_levels:
            raise InputError(
                "--eps-levels is a number of grey levels of 255, not a fraction: 8/255 is --eps 8/255, or "
                "--eps-levels 8."
            )
        levels = parse_number("--eps-levels", self.eps_levels, "8", most=float(LEVELS))
        eps = parse_number("--eps", self.eps, "8/255")
        return {
            "norm": self.norm,
            "zeta": parse_number("--zeta", self.zeta, "0.02 or 2%"),
            "eps": eps if levels is None else levels / LEVELS,
            "methods": self.method,
            "targets": self.target,
            "targeted_methods": self.targeted_method or None,
            "control_seeds": self.control_seeds,
            "curve": self.curve,
            "seed": self.seed,
        }


def parse_number(
    option: str, text: str | None, example: str, most: float = math.inf
) -> float | None:
    """Parse a number, a fraction or, if the example contains "%", a percentage.

    >>> parse_number("--zeta", "2 %", "0.02 or 2%"), parse_number("--eps", "8/255", "8/255") == 8 / 255
    (0.02, True)

    Raises:
        InputError: If the text is none of these, or the number is larger than `most`.
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
            f"{option} must be a number, such as {example}, not '{quote_text(text, 40)}'."
        ) from None
    if found > most:
        raise InputError(f"{option} must be at most {most:g}, not {found:g}.")
    return found
