"""A function of the user's own, which is run."""

import importlib
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

from torch import nn

from straylight.core.errors import InputError
from straylight.models.classifier import Classifier
from straylight.models.readers.network import Brought, ModelOptions, reason_of

PYTHON = "python:"


def read_function(spec: str, _: ModelOptions) -> Brought | Classifier:
    """Call ``python:MODULE:FUNCTION``; modules in the working folder are found too.

    What it prints goes to standard error, so that ``--json`` stays JSON.
    """
    module, _colon, function = spec.removeprefix(PYTHON).partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):
            made: object = getattr(importlib.import_module(module), function)()
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        # Users' own code raises what it likes, and scripts end the process when they are imported.
        raise InputError(
            f"{spec} failed ({reason_of(error)}): give python:MODULE:FUNCTION, a function without "
            "arguments that returns a torch.nn.Module."
        ) from error
    finally:
        if here in sys.path:
            sys.path.remove(here)
    if not isinstance(made, nn.Module):
        hint = ": build the network there, and load_state_dict" if isinstance(made, Mapping) else ""
        raise InputError(f"{spec} returned a {type(made).__name__}, not a torch.nn.Module{hint}.")
    return made if isinstance(made, Classifier) else Brought(made)
