"""The options of what is looked at: a model, and labelled images."""

from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console

from straylight.cohort.load import Cohort, load_cohort
from straylight.cohort.reading import Reading
from straylight.core.progress import say
from straylight.core.settings import parse_settings
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from straylight.models.load import ModelOptions, load_model

SHOWN = 3  # files that are named
NOTHING_SAID = ModelOptions()
OfModel = Annotated[
    ModelOptions, tyro.conf.arg(name="", help="What a model brought from elsewhere does not say.")
]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model and its cohort."""

    model: str
    """A folder (of 'straylight finetune', transformers or timm); timm:NAME, torchvision:NAME or
    keras:NAME with --weights; hf_hub:ORG/NAME; FILE.onnx, FILE.pt2, FILE.pt (TorchScript) or FILE.keras;
    or python:MODULE:FUNCTION, which is run."""
    cohort: str
    """The labelled medical test images: class folders (or a .zip or .tar of them), a manifest (.csv or
    .parquet: file,label), .npz, X_NAME.npy, medmnist:NAME@SIZE:test, or hf:NAME_OR_FOLDER:SPLIT. Files
    may be DICOM."""
    of_model: OfModel = NOTHING_SAID
    reading: str = ""
    """How medical images are read: file=COLUMN,label=COLUMN of a manifest or hf:, root=FOLDER of a
    manifest, and window=CENTRE/WIDTH,frame=K of DICOM."""

    def load_classifier(self) -> Classifier:
        """Load the model; preflight will look at its answers."""
        return load_model(self.model, self.of_model, steady=False)

    def load_labelled(self, spec: str, classifier: Classifier) -> Cohort:
        """Load labelled images for it."""
        reading = parse_settings(Reading, "reading", self.reading)
        return load_cohort(spec, classifier.shape, classifier.class_names, reading=reading)


def say_skipped(images: ImageSet, err: Console) -> None:
    """Name the first files that were left out, and count them."""
    for file in images.skipped[:SHOWN]:
        say(err, f"skipped {file.file}: {file.reason}", "yellow")
    if images.skipped:
        say(err, f"{len(images.skipped)} files of {images.spec} skipped.", "yellow")
