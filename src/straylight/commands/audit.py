"""`straylight audit`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.console import Console

from straylight.attacks import parse_method
from straylight.audit import run
from straylight.ball import Norm
from straylight.classifier import Classifier
from straylight.cohort import Cohort, load_cohort
from straylight.errors import InputError
from straylight.finetune import public_network
from straylight.images import ImageSet
from straylight.models import ModelOptions, load_model
from straylight.plan import DEFAULT_METHODS, Plan, name_of
from straylight.progress import progress
from straylight.reading import Reading
from straylight.settings import parse_settings
from straylight.sources import load_natural
from straylight.surrogates import Adaptation
from straylight.tensors import LEVELS
from straylight.terminal import command_line, show

ALL = "all"
FLOAT, INT, STR = (
    tyro.conf.arg(metavar=kind, help_behavior_hint="") for kind in ("FLOAT", "INT", "STR")
)
N_TRAINING = 1000
NOTHING_SAID = ModelOptions()
OfModel = Annotated[
    ModelOptions, tyro.conf.arg(name="", help="What a model brought from elsewhere does not say.")
]


@dataclass(frozen=True, kw_only=True)
class AuditCommand:
    """Attack a classifier with perturbations made from photographs, and score them on its images.

    A method is an attack of 'straylight attacks', and what it learns on:
      auto                the strongest: every class and none tried, on adapted photographs
      gradient            photographs as they are
      gradient@adapted    photographs made to look like the classifier's own images, by its statistics
      gradient@medical    an upper bound: medical images of --training
      auto:passes=25000   with a setting

    For example:
      straylight audit --model models/skin --natural photos/ --cohort skin/test.csv
        --norm l2 --zeta 0.02 --target all --out audits/skin
    """

    model: str
    """A folder (of 'straylight finetune', transformers or timm); timm:NAME, torchvision:NAME or
    keras:NAME with --weights; hf_hub:ORG/NAME; FILE.onnx, FILE.pt2, FILE.pt (TorchScript) or FILE.keras;
    or python:MODULE:FUNCTION, which is run."""
    natural: str
    """The attacker's photographs: a folder (any depth), .zip, .tar, .npy, .npz, or builtin:photos.
    Drawings, where there are none: builtin:noise, builtin:jigsaw, builtin:dead-leaves."""
    cohort: str
    """The labelled medical test images: class folders (or a .zip or .tar of them), a manifest (.csv or
    .parquet: file,label), .npz, X_NAME.npy, or medmnist:NAME@SIZE:test. Files may be DICOM."""
    out: Path
    """Folder for audit.json, the perturbations and report.html; a killed audit there goes on."""
    of_model: OfModel = NOTHING_SAID
    norm: Norm = "l2"
    """Norm that the perturbation is bounded in."""
    zeta: Annotated[float | None, FLOAT] = None
    """Budget as a share of the mean norm of the medical images: 0.02 is 2 %."""
    eps: Annotated[float | None, FLOAT] = None
    """Budget on images in [0, 1], instead of --zeta."""
    eps_levels: Annotated[float | None, FLOAT] = None
    """Budget in grey levels of 0..255, instead of --zeta: '--norm linf --eps-levels 8'."""
    method: tuple[str, ...] = tuple(map(name_of, DEFAULT_METHODS))
    """Attacks, as NAME[@SOURCE][:SETTING=VALUE,...]."""
    target: tuple[str, ...] = ()
    """Classes to make targeted perturbations for, or 'all'."""
    targeted_method: tuple[str, ...] = ()
    """Attacks to aim at the targets (default: those of --method)."""
    photographs: Annotated[int | None, INT] = None
    """How many photographs to use (default: all)."""
    adaptation: str = ""
    """Of @adapted: n=3000,steps=120,batch_size=24,layers=20,smallest_crop=0.15,mix=0.5."""
    training: Annotated[str | None, STR] = None
    """For methods @medical: labelled medical images, none of them in --cohort."""
    reading: str = ""
    """How medical images are read: file=COLUMN,label=COLUMN,root=FOLDER of a manifest, and
    window=CENTRE/WIDTH,frame=K of DICOM."""
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
        classifier = load_model(self.model, self.of_model)
        plan = self.plan(classifier.class_names)
        photographs = load_natural(
            self.natural, classifier.shape, n=self.photographs, seed=self.seed
        )
        cohort = self.load(self.cohort, classifier)
        public = None if self.public is None else public_network(classifier, self.public)
        training = None if self.training is None else self.load_training(classifier)
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
                training=training,
                public=public,
                tracker=tracker,
            )
        show(audit, self.out, out, as_json=self.json)

    def load(self, spec: str, classifier: Classifier) -> Cohort:
        """Load labelled images."""
        reading = parse_settings(Reading, "reading", self.reading)
        return load_cohort(spec, classifier.shape, classifier.class_names, reading=reading)

    def load_training(self, classifier: Classifier) -> ImageSet:
        """Load the images of an oracle: as many as there are photographs at most, drawn at random."""
        images = self.load(self.training or "", classifier).images
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(images), generator=generator)[: self.photographs or N_TRAINING]
        return ImageSet(images.pixels[chosen], images.spec)

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
            adaptation=parse_settings(Adaptation, "adaptation", self.adaptation),
            control_seeds=self.control_seeds,
            curve=self.curve,
            seed=self.seed,
        )
