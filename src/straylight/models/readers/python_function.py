"""Read a network from the user's own function, which is run."""

import importlib
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

from torch import nn

from straylight.core.errors import InputError, quote_text
from straylight.models.classifier import Classifier
from straylight.models.options import ModelOptions
from straylight.models.readers.network import LoadedNetwork

PYTHON = "python:"


def read_python_function(spec: str, _: ModelOptions) -> LoadedNetwork | Classifier:
    """Call ``python:MODULE:FUNCTION``; modules in the working folder are found too.

    Its output goes to standard error, so that ``--json`` stays JSON.
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
        # User code may raise anything, and scripts may exit when they are imported.
        raise InputError(
            f"{spec} failed ({_describe_exception(error)}): give python:MODULE:FUNCTION, a function "
            "without arguments that returns a torch.nn.Module."
        ) from error
    finally:
        if here in sys.path:
            sys.path.remove(here)
    if not isinstance(made, nn.Module):
        hint = ": build the network there, and load_state_dict" if isinstance(made, Mapping) else ""
        raise InputError(f"{spec} returned a {type(made).__name__}, not a torch.nn.Module{hint}.")
    return made if isinstance(made, Classifier) else LoadedNetwork(made)


def _describe_exception(error: BaseException) -> str:
    """Return the type of an exception and the first line of its message."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    kind = type(error).__name__
    return f"{kind}: {quote_text(lines[0].strip(), 200)}" if lines else kind
