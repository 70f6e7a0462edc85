"""A function of the user's own, which is run."""

import importlib
import sys
from pathlib import Path

from torch import nn

from straylight.classifier import Classifier
from straylight.errors import InputError
from straylight.readers.brought import Brought, ModelOptions

PYTHON = "python:"


def read_function(spec: str, _: ModelOptions) -> Brought | Classifier:
    """Call ``python:MODULE:FUNCTION``; modules in the working folder are found too."""
    module, _colon, function = spec.removeprefix(PYTHON).partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        made: object = getattr(importlib.import_module(module), function)()
    except Exception as error:
        # Users' own code raises what it likes.
        raise InputError(
            f"{spec} failed ({type(error).__name__}: {error}): give python:MODULE:FUNCTION, a function "
            "without arguments that returns a torch.nn.Module."
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(made, nn.Module):
        raise InputError(f"{spec} returned a {type(made).__name__}, not a torch.nn.Module.")
    return made if isinstance(made, Classifier) else Brought(made)
