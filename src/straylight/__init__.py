"""Straylight: universal perturbations from photographs, and their honest evaluation.

Can somebody who has never seen a medical image break this classifier, with one perturbation made from
ordinary photographs? After Minagi, Hirano & Takemoto, J. Imaging 2022, 8(2), 38.
"""

from straylight.archive import load_audit as load_audit
from straylight.attacks import Attack as Attack
from straylight.attacks import Auto as Auto
from straylight.attacks import Gradient as Gradient
from straylight.attacks import Method as Method
from straylight.attacks import PhaseRandomised as PhaseRandomised
from straylight.attacks import RandomSign as RandomSign
from straylight.attacks import RandomSphere as RandomSphere
from straylight.attacks import Sequential as Sequential
from straylight.attacks import Snapshot as Snapshot
from straylight.audit import run as run
from straylight.ball import Ball as Ball
from straylight.classifier import Classifier as Classifier
from straylight.cohort import Cohort as Cohort
from straylight.cohort import load_cohort as load_cohort
from straylight.counts import Proportion as Proportion
from straylight.counts import Score as Score
from straylight.errors import InputError as InputError
from straylight.evaluate import predict_clean as predict_clean
from straylight.evaluate import score as score
from straylight.finetune import finetune as finetune
from straylight.formats.reading import Reading as Reading
from straylight.images import ImageSet as ImageSet
from straylight.modelcard import load_classifier as load_classifier
from straylight.models import ModelOptions as ModelOptions
from straylight.models import load_model as load_model
from straylight.plan import Plan as Plan
from straylight.preflight import Finding as Finding
from straylight.preflight import preflight as preflight
from straylight.progress import Silent as Silent
from straylight.progress import Tracker as Tracker
from straylight.report import render as render
from straylight.report import write_report as write_report
from straylight.results import Audit as Audit
from straylight.results import Perturbation as Perturbation
from straylight.sources.photographs import load_natural as load_natural
from straylight.training.recipe import Recipe as Recipe

__version__ = "0.1.0"
