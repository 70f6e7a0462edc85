"""`straylight audit`."""

from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from straylight.attacks import parse_method
from straylight.audit import run
from straylight.ball import Norm
from straylight.classifier import Classifier
from straylight.cohort import load_cohort
from straylight.errors import InputError
from straylight.finetune import public_network
from straylight.images import ImageSet
from straylight.modelcard import load_classifier
from straylight.plan import DEFAULT_METHODS, Plan, name_of
from straylight.progress import progress
from straylight.sources import load_natural
from straylight.tensors import LEVELS
from straylight.terminal import command_line, show

ALL = "all"
N_TRAINING = 1000


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
    method: tuple[str, ...] = tuple(map(name_of, DEFAULT_METHODS))
    """Attacks, as NAME[@SOURCE][:SETTING=VALUE,...] ('straylight attacks' lists them). SOURCE is what
    they learn on: photographs (the default), adapted (photographs made to look like the classifier's
    own images, by its own statistics), or medical (an upper bound; needs --training)."""
    target: tuple[str, ...] = ()
    """Classes to make targeted perturbations for, or 'all'."""
    targeted_method: tuple[str, ...] = ()
    """Attacks to aim at the targets (default: those of --method)."""
    photographs: int | None = None
    """How many photographs to use (default: all)."""
    training: str | None = None
    """Labelled medical images, none of them in --cohort, for methods '@medical'."""
    public: str | None = None
    """Public weights that the model was fine-tuned from, for lift and disrupt: a .safetensors file, or
    'pretrained' (downloaded by timm)."""
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

    def load_training(self, classifier: Classifier) -> ImageSet:
        """Load the images of an oracle: as many as there are photographs at most, drawn at random."""
        images = load_cohort(self.training or "", classifier.shape, classifier.class_names).images
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
            control_seeds=self.control_seeds,
            seed=self.seed,
        )
