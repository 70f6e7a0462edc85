"""The command line: one frozen dataclass a subcommand, whose fields are its options."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from straylight.attacks import ATTACKS, CONTROLS, parse_method
from straylight.audit import run
from straylight.ball import Norm
from straylight.cohort import load_cohort
from straylight.errors import InputError
from straylight.finetune import finetune
from straylight.modelcard import load_classifier
from straylight.plan import Plan
from straylight.progress import progress
from straylight.recipe import PRETRAINED, Flips, Recipe
from straylight.results import load_audit
from straylight.sources import load_natural
from straylight.tensors import LEVELS, Shape
from straylight.terminal import print_json, show

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class FinetuneCommand:
    """Train a medical classifier by transfer learning.

    Example:
      straylight finetune --data skin/train.csv --backbone mobilenetv2_100
        --size 128 --epochs 8 --out models/skin
    """

    data: str
    """Training images: class folders, a CSV manifest (file,label) or a .npz file."""
    backbone: str
    """A timm model name, such as mobilenetv2_100 or resnet50."""
    out: Path
    """Folder for model.safetensors and model.json; an interrupted training there goes on."""
    weights: str = PRETRAINED
    """A .safetensors file, 'pretrained' (downloaded by timm), or 'none' (random initialisation)."""
    backbone_arg: tuple[str, ...] = ()
    """Arguments for the backbone, as NAME=VALUE, such as pad_type=same."""
    size: int = 224
    """Side of the images in pixels."""
    grey: bool = False
    """Train on one grey channel instead of RGB."""
    epochs: int = 8
    """Passes over the training images."""
    learning_rate: float = 0.02
    """Peak of the one-cycle learning rate."""
    batch_size: int = 32
    """Images in a step."""
    flips: Flips = "horizontal"
    """Mirror the training images: left-right, and with 'both' upside down as well."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """What the backbone subtracts from images in [0, 1], for red, green and blue."""
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """What the backbone divides by."""
    seed: int = 0
    """Same seed and threads: same model."""
    json: bool = False
    """Print the model card as JSON."""

    def run(self, out: Console, err: Console) -> None:
        recipe = Recipe(
            backbone=self.backbone,
            backbone_args=parse_arguments(self.backbone_arg),
            weights=self.weights,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            flips=self.flips,
            mean=self.mean,
            std=self.std,
            seed=self.seed,
        )
        if self.size < 1:
            raise InputError(f"--size must be at least 1 pixel, not {self.size}.")
        shape: Shape = (1 if self.grey else 3, self.size, self.size)
        data = load_cohort(self.data, shape)
        with progress(err) as tracker:
            classifier = finetune(data, recipe, self.out, tracker)
        if self.json:
            print_json(out, classifier.card)
            return
        history = classifier.card["training"]["history"]
        best = max(entry["validation_accuracy"] for entry in history)
        out.print(f"{self.out}: accuracy on held-out training images {100 * best:.1f} %")
        out.print(
            f"Next: straylight audit --model {self.out} --natural PHOTOS --cohort TEST --zeta 0.02",
            soft_wrap=True,
        )


@dataclass(frozen=True, kw_only=True)
class AuditCommand:
    """Attack a classifier with perturbations made from photographs, and score them on its images.

    Example:
      straylight audit --model models/skin --natural photos/ --cohort skin/test.csv
        --norm l2 --zeta 0.02 --target all --out audits/skin
    """

    model: Path
    """A folder that 'straylight finetune' wrote."""
    natural: str
    """The attacker's photographs: a folder (any depth), a .npy or .npz file, or builtin:photos."""
    cohort: str
    """The labelled medical test images: class folders, a CSV manifest (file,label) or a .npz file."""
    out: Path
    """Folder for audit.json, the perturbations and report.html; a killed audit there goes on."""
    norm: Norm = "l2"
    """Norm that the perturbation is bounded in."""
    zeta: float | None = None
    """Budget as a share of the mean norm of the medical images: 0.02 is 2 %."""
    eps: float | None = None
    """Budget on images in [0, 1], instead of --zeta."""
    eps_levels: float | None = None
    """Budget in grey levels of 0..255, instead of --zeta: '--norm linf --eps-levels 8'."""
    method: tuple[str, ...] = ("gradient", "sequential")
    """Attacks, as NAME or NAME:SETTING=VALUE,... ('straylight attacks' lists them)."""
    target: tuple[str, ...] = ()
    """Classes to make targeted perturbations for, or 'all'."""
    targeted_method: tuple[str, ...] = ()
    """Attacks to aim at the targets (default: those of --method)."""
    photographs: int | None = None
    """How many photographs to use (default: all)."""
    control_seeds: int = 3
    """Random controls of each kind."""
    seed: int = 0
    """Same seed and threads: same figures."""
    show_images: bool = False
    """Embed a few of the medical images in the report; leave it off for patients' images."""
    force: bool = False
    """Replace an audit that is already in --out."""
    json: bool = False
    """Print the audit as JSON instead of a table."""

    def run(self, out: Console, err: Console) -> None:
        classifier = load_classifier(self.model)
        plan = self.plan(classifier.class_names)
        photographs = load_natural(
            self.natural, classifier.shape, n=self.photographs, seed=self.seed
        )
        cohort = load_cohort(self.cohort, classifier.shape, classifier.class_names)
        for images in (photographs, cohort.images):
            for file in images.skipped[:3]:
                err.print(f"skipped {file.file}: {file.reason}", style="yellow", markup=False)
            if images.skipped:
                err.print(f"{len(images.skipped)} files of {images.spec} skipped.", style="yellow")
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
                tracker=tracker,
            )
        show(audit, self.out, out, as_json=self.json)

    def plan(self, class_names: tuple[str, ...]) -> Plan:
        """Turn the options into settings."""
        if self.eps is not None and self.eps_levels is not None:
            raise InputError("give one of --eps and --eps-levels.")
        levels = None if self.eps_levels is None else self.eps_levels / LEVELS
        targeted = tuple(map(parse_method, self.targeted_method))
        return Plan(
            norm=self.norm,
            zeta=self.zeta,
            eps=self.eps if levels is None else levels,
            methods=tuple(map(parse_method, self.method)),
            targets=class_names if self.target == (ALL,) else self.target,
            targeted_methods=targeted or None,
            control_seeds=self.control_seeds,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True)
class ReportCommand:
    """Render the report of an audit again, from its folder alone.

    Example:
      straylight report audits/skin
    """

    folder: tyro.conf.Positional[Path]
    """A folder that 'straylight audit' wrote."""
    json: bool = False
    """Print the audit as JSON instead of a table."""

    def run(self, out: Console, err: Console) -> None:
        show(load_audit(self.folder), self.folder, out, as_json=self.json)


@dataclass(frozen=True, kw_only=True)
class AttacksCommand:
    """List the attacks and controls, their settings and their papers.

    Example:
      straylight attacks
    """

    json: bool = False
    """Print the catalogue as JSON."""

    def run(self, out: Console, err: Console) -> None:
        entries: list[dict[str, Any]] = [
            {
                "name": name,
                "role": role,
                "threat_model": entry.threat_model,
                "summary": entry.summary,
                "settings": vars(entry.make()),
                "paper": entry.paper,
                "url": entry.url,
            }
            for role, catalogue in (("attack", ATTACKS), ("control", CONTROLS))
            for name, entry in catalogue.items()
        ]
        if self.json:
            print_json(out, entries)
            return
        for entry in entries:
            settings = ",".join(f"{key}={value}" for key, value in entry["settings"].items())
            out.print(f"[bold]{entry['name']}[/bold]  {entry['role']}, {entry['threat_model']}")
            out.print(f"  {entry['summary']}", highlight=False)
            if settings:
                out.print(f"  {entry['name']}:{settings}", highlight=False, soft_wrap=True)
            out.print(f"  {entry['paper']}, {entry['url']}", highlight=False, soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class DemoCommand:
    """Fine-tune, attack and report on synthetic images: offline, in about two minutes.

    Example:
      straylight demo
    """

    out: Path = Path("straylight-demo")
    """Folder for the models, the audits and the reports."""
    seed: int = 0
    """Same seed and threads: same figures."""
    force: bool = False
    """Replace a demo that is already in --out."""
    json: bool = False
    """Print the audits as JSON instead of tables."""

    def run(self, out: Console, err: Console) -> None:
        from straylight.demo import run_demo

        with progress(err) as tracker:
            audits = run_demo(
                self.out, seed=self.seed, force=self.force, command=command_line(), tracker=tracker
            )
        if self.json:
            print_json(out, {name: audit.to_json() for name, audit in audits.items()})
            return
        for name, audit in audits.items():
            out.print(f"\n[bold]{name}[/bold]: {audit.cohort.note}", highlight=False)
            show(audit, self.out / name, out, as_json=False)


def command_line() -> str:
    """Return the command as typed."""
    return shlex.join(["straylight", *sys.argv[1:]])


def parse_arguments(pairs: tuple[str, ...]) -> dict[str, object]:
    """Turn NAME=VALUE texts into keyword arguments; values are read as JSON where they can be."""
    arguments: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise InputError(f"--backbone-arg {pair!r} must be NAME=VALUE, such as pad_type=same.")
        try:
            arguments[name] = json.loads(value)
        except json.JSONDecodeError:
            arguments[name] = value
    return arguments


Command = (
    Annotated[DemoCommand, tyro.conf.subcommand("demo")]
    | Annotated[AuditCommand, tyro.conf.subcommand("audit")]
    | Annotated[FinetuneCommand, tyro.conf.subcommand("finetune")]
    | Annotated[ReportCommand, tyro.conf.subcommand("report")]
    | Annotated[AttacksCommand, tyro.conf.subcommand("attacks")]
)
DESCRIPTION = """Can somebody who has never seen a medical image break this classifier?

See it, offline, on synthetic images: straylight demo

Train a classifier: straylight finetune --help

Audit it, with a report: straylight audit --help
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends with status 0, 2 (bad input) or 130 (interrupted)."""
    out, err = Console(), Console(stderr=True)
    command: FinetuneCommand | AuditCommand | ReportCommand | AttacksCommand | DemoCommand
    command = tyro.cli(
        Command,
        prog="straylight",
        description=DESCRIPTION,
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    try:
        command.run(out, err)
    except InputError as error:
        err.print(
            f"straylight: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("straylight: interrupted; the same command goes on from here.", style="red")
        sys.exit(130)
