"""Imports point one way, and no attack can reach a medical image."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "straylight"
# A module may import only from the lines above its own.
LAYERS = [
    ["errors", "limits", "memory", "ranges"],
    ["arguments", "bounded", "budget", "naming", "numerals", "settings", "values"],
    ["code", "jsons"],
    ["tensors"],
    ["ball", "contract", "counts", "layout", "outputs", "progress", "schema"],
    ["backbones", "heads", "files", "images", "multilabel"],
    ["labels", "looks", "weights"],
    ["formats", "labelarrays"],
    ["sources", "classifier", "cohort"],
    ["attacks", "folding", "identity", "modelcard", "surrogates"],
    ["evaluate", "overlap", "readers"],
    ["preflight"],
    ["models", "results", "training"],
    ["finetune", "archive"],
    ["ledger"],
    ["finished"],
    ["plan"],
    ["provenance"],
    ["bench", "report"],
    ["audit"],
    ["demo", "study", "terminal"],
    ["commands"],
    ["cli"],
    ["__init__", "__main__"],
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(file: Path) -> str:
    """Name of the concept that a file belongs to: its folder in the package, or itself."""
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(file: Path) -> set[str]:
    """Concepts of the package that a file imports, at any depth in its code."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            base = node.module or ""
            names = [
                f"{base}.{alias.name}" if base == "straylight" else base for alias in node.names
            ]
        found |= {name.split(".")[1] for name in names if name.startswith("straylight.")}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_imports_point_down(file: Path) -> None:
    module = module_of(file)
    upward = {name for name in imported(file) - {module} if LEVEL[name] >= LEVEL[module]}
    assert not upward


# What the attacker has: nothing in these may reach a medical image.
ATTACKER = [
    "attacks",
    "ball",
    "bounded",
    "classifier",
    "contract",
    "errors",
    "files",
    "images",
    "layout",
    "limits",
    "outputs",
    "ranges",
    "settings",
    "surrogates",
    "tensors",
    "values",
]


@pytest.mark.parametrize("module", ATTACKER)
def test_attacks_and_what_they_import_see_no_medical_image(module: str) -> None:
    files = [file for file in FILES if module_of(file) == module]
    assert files
    for file in files:
        assert imported(file) <= set(ATTACKER), file
