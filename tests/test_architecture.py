"""Imports point one way, and no attack can reach a medical image."""

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from paths import ROOT, TESTS

PACKAGE = ROOT / "src" / "straylight"
# A file may import from its own floor's folder and from the floors above this line: below in the list.
FLOORS = [
    ["core"],
    ["data"],
    ["models"],
    ["attacks"],
    ["cohort"],
    ["training", "evaluation"],
    ["audit"],
    ["report"],
    ["demo", "study"],
    ["cli"],
    ["__init__", "__main__"],
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))
# What an attack is given: a classifier, photographs in memory, and a budget. It opens no image file.
ATTACKER = (
    "straylight.core",
    "straylight.attacks",
    "straylight.data.images",
    "straylight.models.classifier",
)


def module_of(file: Path) -> str:
    """Return the dotted name of a file."""
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


MODULES = {module_of(file) for file in FILES}


def imports_of(file: Path) -> set[str]:
    """Return the modules of the package that a file imports, at any depth in its code."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            base = node.module or ""
            names = [
                name if (name := f"{base}.{alias.name}") in MODULES else base
                for alias in node.names
            ]
        found |= {name for name in names if name.partition(".")[0] == "straylight"}
    return found


def floor_of(module: str) -> str:
    """Return the folder of the package in which a module stands, or the module itself."""
    return module.split(".")[1] if "." in module else "__init__"


def definitions() -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the functions and classes at the top of all files."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in FILES]
    nodes = [node for tree in trees for node in tree.body]
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def test_a_name_means_one_thing() -> None:
    counts = Counter(node.name for node in definitions())
    shared = [name for name, count in counts.items() if count > 1]
    assert len(shared) <= 0.01 * len(counts), shared


def test_function_names_can_be_searched_for() -> None:
    names = [node.name for node in definitions() if isinstance(node, ast.FunctionDef)]
    one_word = [name for name in names if "_" not in name.strip("_")]
    assert len(one_word) <= 0.15 * len(names), one_word


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_imports_point_down(file: Path) -> None:
    floor = floor_of(module_of(file))
    upward = {
        name
        for name in imports_of(file)
        if floor_of(name) != floor and LEVEL[floor_of(name)] >= LEVEL[floor]
    }
    assert not upward


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {module_of(file): imports_of(file) - {module_of(file)} for file in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize(
    "file", sorted((PACKAGE / "attacks").rglob("*.py")), ids=lambda file: file.stem
)
def test_attacks_see_no_medical_image_and_open_no_image_file(file: Path) -> None:
    assert all(name.startswith(ATTACKER) for name in imports_of(file))


def test_the_top_of_the_package_is_its_floors() -> None:
    entries = {path.name for path in PACKAGE.iterdir() if not path.name.startswith("__")}
    floors = {name for names in FLOORS for name in names if not name.startswith("__")}
    assert entries == floors | {"py.typed"}
    assert len(entries) <= 13


@pytest.mark.parametrize("file", sorted(TESTS.rglob("test_*.py")), ids=str)
def test_a_test_stands_where_what_it_tests_does(file: Path) -> None:
    parts = file.relative_to(TESTS).with_suffix("").parts
    if len(parts) == 1:  # of the whole package
        return
    subject = PACKAGE.joinpath(*parts[:-1], parts[-1].removeprefix("test_"))
    assert subject.with_suffix(".py").is_file() or subject.is_dir()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_what_has_a_function_has_its_tests_where_it_stands(file: Path) -> None:
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    if any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes):
        place = file.relative_to(PACKAGE)
        assert (TESTS / place.with_name(f"test_{place.name}")).is_file()
