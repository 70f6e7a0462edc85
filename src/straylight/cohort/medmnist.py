"""Load data sets of MedMNIST with its own package (https://medmnist.com, Yang et al. 2023)."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from straylight.core.errors import InputError

MEDMNIST = "medmnist:"
SPEC = re.compile(r"medmnist:(?P<name>\w+)(@(?P<size>\d+))?:(?P<split>train|val|test)")


def load_medmnist(spec: str) -> dict[str, NDArray[Any]]:
    """Load ``medmnist:NAME@SIZE:SPLIT`` (without ``@SIZE``: 28).

    The package downloads a data set once, to ``~/.medmnist`` or the folder in the environment variable
    ``MEDMNIST_ROOT``.

    Returns:
        The arrays ``images``, ``labels`` and ``class_names`` (column names for a multi-label data set).

    Raises:
        InputError: If the data set does not exist, is 3-D or cannot be loaded, or the package is missing.
    """
    found = SPEC.fullmatch(spec)
    if found is None:
        raise InputError(
            f"{spec}: give medmnist:NAME@SIZE:SPLIT, such as medmnist:pneumoniamnist@64:test."
        )
    try:
        import medmnist
    except ImportError:
        raise InputError(f"{spec} needs medmnist: 'pip install straylight[medmnist]'.") from None
    sets: dict[str, dict[str, Any]] = medmnist.INFO
    info = sets.get(found["name"], {})
    if not info or "3d" in found["name"]:
        usable = [name for name in sets if "3d" not in name]
        raise InputError(
            f"{spec} is not a data set of 2-D images. Give one of {', '.join(usable)}."
        )
    make = getattr(medmnist, info["python_class"])
    size = int(found["size"] or 28)
    root = Path(os.environ.get("MEDMNIST_ROOT", "~/.medmnist")).expanduser()
    file = root / (f"{found['name']}.npz" if size == 28 else f"{found['name']}_{size}.npz")
    try:
        root.mkdir(parents=True, exist_ok=True)
        data = make(split=found["split"], size=size, root=str(root), download=not file.exists())
    except Exception as error:
        # Its downloads raise many exception types, and finally a RuntimeError with advice.
        raise InputError(
            f"{spec} cannot be downloaded or read ({type(error).__name__}): check the size (28, 64, "
            f"128 or 224) and the connection, or put {file.name} into {root}."
        ) from error
    names = [info["label"][str(number)] for number in range(len(info["label"]))]
    return {"images": data.imgs, "labels": data.labels, "class_names": np.array(names)}
