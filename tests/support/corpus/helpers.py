"""What the files of a corpus are tried with: good files beside them, and command lines."""

import json
import shutil
from pathlib import Path

import numpy as np
import timm
from PIL import Image
from safetensors.torch import save_file

from corpus.models import CARD
from fixed_audit import write_arrays


def write_helpers(root: Path) -> None:
    """Write the good files that some readers need beside the bad one."""
    rng = np.random.default_rng(0)
    for label in ("dark", "light"):
        (root / "good" / label).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "good" / label / f"{number}.png")
            Image.fromarray(pixels).save(root / "secret.png")
    write_arrays(root / "audit")
    (root / "model").mkdir()
    network = timm.create_model("test_resnet", num_classes=2)
    save_file(network.state_dict(), root / "model" / "model.safetensors")
    shutil.copytree(root / "model", root / "good-model")
    (root / "good-model" / "model.json").write_text(json.dumps(CARD))


def command(root: Path, path: str, scratch: Path) -> list[str]:
    """Return the command line that meets a file."""
    family, file = path.partition("/")[0], root / path
    options: dict[str, list[object]] = {
        "--model": [root / "good-model"],
        "--natural": ["builtin:noise"],
        "--cohort": [root / "good"],
        "--zeta": [0.1],
        "--out": [scratch / "out"],
    }
    brought: dict[str, list[object]] = {"--classes": ["dark", "light"]}
    if family == "audits":
        shutil.copytree(root / "audit", scratch / "audit")
        shutil.copy(file, scratch / "audit" / "audit.json")
        return ["report", str(scratch / "audit")]
    if family == "cards":
        shutil.copytree(root / "model", scratch / "model")
        shutil.copy(file, scratch / "model" / "model.json")
        options["--model"] = [scratch / "model"]
    elif family == "weights":
        options |= brought | {"--model": ["timm:test_resnet"], "--weights": [file]}
    elif family == "networks":
        image = {"--size": [8], "--mean": [0, 0, 0], "--std": [1, 1, 1]}
        options |= brought | image | {"--model": [file]}
    elif family in ("photographs", "archives"):
        options["--natural"] = [file]
    else:
        options["--cohort"] = [file]
        if family == "tables":
            options["--reading"] = [f"root={root / 'good'}"]
    return ["audit", *(str(word) for name, value in options.items() for word in (name, *value))]
