"""Options that several commands share: a model, and labelled images."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from straylight.models.options import ModelOptions

NO_OPTIONS = ModelOptions()
Text = Annotated[str, tyro.conf.arg(help_behavior_hint="")]  # an option that is empty by default
OfModel = Annotated[
    ModelOptions, tyro.conf.arg(name="", help="Settings that the model file does not contain.")
]


@dataclass(frozen=True, kw_only=True)
class ModelAndCohortOptions:
    """A model, and the labelled images that it is audited on."""

    model: str
    """The model. One of:
    - a folder written by 'straylight finetune', transformers or timm
    - timm:NAME, torchvision:NAME or keras:NAME, with --weights
    - hf_hub:ORG/NAME
    - FILE.onnx, FILE.pt2, FILE.pt (TorchScript) or FILE.keras
    - python:MODULE:FUNCTION, which is executed"""
    cohort: str
    """The labelled medical test images (DICOM is supported). One of:
    - class folders, also in a .zip or .tar
    - a manifest with the columns file and label (.csv or .parquet)
    - FILE.npz, or X_NAME.npy beside y_NAME.npy
    - medmnist:NAME@SIZE:test
    - hf:NAME_OR_FOLDER:SPLIT"""
    of_model: OfModel = NO_OPTIONS
    reading: Text = ""
    """Settings for reading the medical images, as NAME=VALUE,...:
    - file=COLUMN and label=COLUMN of a manifest or of hf:
    - root=FOLDER of a manifest
    - window=CENTRE/WIDTH and frame=K of DICOM"""
