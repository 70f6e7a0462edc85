"""What the documents show is true: commands parse, code runs, tables and lists are those of the code."""

import ast
import importlib.util
import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import straylight
from paths import ROOT
from straylight.attacks.catalogue import ATTACKS, CONTROLS, AttackEntry
from straylight.cli.main import parse_command
from tests.test_architecture import FLOORS

DOCS = ROOT / "docs"
PAGES = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "CHANGELOG")]
PAGES += sorted(DOCS.glob("*.md"))
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}


def blocks(text: str, language: str = "") -> list[str]:
    """Return the fenced blocks of a language."""
    found, open_as, lines = [], None, []
    for line in text.splitlines():
        if not line.startswith("```"):
            lines.append(line)
        elif open_as is None:
            open_as, lines = line[3:], []
        else:
            if open_as == language:
                found.append("".join(f"{line}\n" for line in lines))
            open_as = None
    return found


def commands() -> list[str]:
    """Return the lines of all shell blocks, continued lines joined."""
    shells = "".join("".join(blocks(text)) for text in TEXTS.values())
    lines = shells.replace("\\\n", " ").splitlines()
    return list(dict.fromkeys(line.partition("#")[0].strip() for line in lines if line.strip()))


def module_of(code: str, name: str, folder: Path) -> ModuleType:
    """Import code as a module of a name."""
    file = folder / f"{name.rpartition('.')[2]}.py"
    file.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def run_tests_of(module: ModuleType) -> int:
    """Call the test functions of a module with all their parameters; return how many calls."""
    calls = 0
    for name, test in vars(module).items():
        if not name.startswith("test_"):
            continue
        marks = [mark.args for mark in getattr(test, "pytestmark", [])]
        names, values = [mark[0] for mark in marks], [mark[1] for mark in marks]
        for chosen in itertools.product(*values):
            test(**dict(zip(names, chosen, strict=True)))
            calls += 1
    return calls


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("straylight ")])
def test_every_command_is_understood(command: str) -> None:
    parse_command(shlex.split(command)[1:])


@pytest.mark.parametrize("command", [line for line in commands() if "straylight " not in line])
def test_every_script_and_target_exists(command: str) -> None:
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) <= set(targets)
    elif words[0].endswith("python") and words[1] != "-m":
        assert (ROOT / words[1]).is_file()


@pytest.mark.parametrize("page", TEXTS)
def test_every_python_block_compiles(page: str) -> None:
    for code in blocks(TEXTS[page], "python"):
        ast.parse(f"{{{code}}}" if code.startswith('"') and not code.startswith('"""') else code)


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_to_a_file(page: str) -> None:
    for target in re.findall(r"\]\(((?!https?:|#)[^)\s]+)\)", TEXTS[page]):
        path = (ROOT / page).parent / target.partition("#")[0]
        assert path.is_file(), target


def test_the_attack_of_ones_own_passes_its_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, test = blocks(TEXTS["docs/own-attack.md"], "python")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_attacks.py").write_text(attack, encoding="utf-8")
    assert run_tests_of(module_of(test, "test_my_attacks", tmp_path)) == 1
    monkeypatch.delitem(sys.modules, "my_attacks")
    monkeypatch.delitem(sys.modules, "test_my_attacks")


def test_the_worked_example_of_contributing_passes_its_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, entry, test = blocks(TEXTS["CONTRIBUTING.md"], "python")
    module = module_of(attack, "straylight.attacks.mean_sign", tmp_path)
    entries = eval(f"{{{entry}}}", {"AttackEntry": AttackEntry})
    monkeypatch.setitem(ATTACKS, "mean-sign", entries["mean-sign"])
    assert ATTACKS["mean-sign"].make is module.MeanSign
    assert run_tests_of(module_of(test, "test_mean_sign", tmp_path)) == 4
    monkeypatch.delitem(sys.modules, "straylight.attacks.mean_sign")
    monkeypatch.delitem(sys.modules, "test_mean_sign")


def test_the_files_to_touch_exist() -> None:
    text = TEXTS["CONTRIBUTING.md"]
    section = text.partition("## To add X, touch these files")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:4] for line in section.splitlines() if line.startswith("| a")]
    assert len(rows) == 6
    for _, source, test in rows:
        files = re.findall(r"`([^`]+)`", source)
        assert len(files) <= 3
        for file in [f"src/straylight/{file}" for file in files] + re.findall(r"`([^`]+)`", test):
            path = ROOT / file
            assert path.is_file() or ("NAME" in file and path.parent.is_dir()), file


def test_contributing_lists_the_floors() -> None:
    lines = re.findall(r"^\| (\d+) \| (.*?) \|$", TEXTS["CONTRIBUTING.md"], re.MULTILINE)
    found = [re.findall(r"`(\w+)`", words) for _, words in lines]
    assert found == FLOORS[:-1]


def test_the_catalogue_is_that_of_the_code() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TEXTS["docs/attacks.md"].splitlines()
        if re.match(r"\| `[\w-]+` \| T\d \|", line)
    ]
    entries = {**ATTACKS, **CONTROLS}
    assert [row[0] for row in rows] == [f"`{name}`" for name in entries]
    for row, (name, entry) in zip(rows, entries.items(), strict=True):
        assert row[1] == entry.threat_model
        assert entry.url in row[5]
        if name in ATTACKS and name != "auto":
            assert (row[4] == "yes") == ATTACKS[name].make().takes_target
        path = entry.path.replace(":", ".")
        public = f"straylight.{path.rpartition('.')[2]}"
        listed = re.findall(r"autoclass:: (\S+)", TEXTS["docs/attacks.md"])
        assert path in listed or public in listed


def test_the_api_reference_has_every_public_name() -> None:
    pages = TEXTS["docs/api.md"] + TEXTS["docs/attacks.md"]
    listed = re.findall(r"auto(?:class|function):: straylight\.(\w+)$", pages, re.MULTILINE)
    assert sorted(listed) == sorted(straylight.__all__)


def test_the_picture_of_the_architecture_is_that_of_the_imports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import draw_architecture  # type: ignore[import-not-found]

    graph, floors = draw_architecture.imports(), draw_architecture.floors()
    assert sorted(graph) == sorted(draw_architecture.WORDS)
    assert len(graph) == 12
    level = {folder: number for number, names in enumerate(floors) for folder in names}
    assert all(level[other] < level[folder] for folder in graph for other in graph[folder])
    drawn = draw_architecture.PICTURE.read_text(encoding="utf-8")
    assert draw_architecture.picture() == drawn, "run `python scripts/draw_architecture.py`"


def test_the_citation_is_of_this_version_and_of_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == straylight.__version__
    (paper,) = citation["references"]
    assert paper["doi"] == "10.3390/jimaging8020038"
    assert [author["family-names"] for author in paper["authors"]] == [
        "Minagi",
        "Hirano",
        "Takemoto",
    ]


def test_the_workflow_and_the_issue_forms_are_whole() -> None:
    folder = ROOT / ".github"
    jobs = yaml.safe_load((folder / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    runs = "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    for needed in (".ci/run", "make docs", "python -m build", "--version", "straylight --help"):
        assert needed in runs
    for name in ("bug", "feature"):
        text = (folder / "ISSUE_TEMPLATE" / f"{name}.yml").read_text(encoding="utf-8")
        ids = [item.get("id") for item in yaml.safe_load(text)["body"]]
        assert "version" in ids
        assert "Attach no patient data" in text


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    site = tmp_path / "site"
    done = subprocess.run(
        [*command, "--doctree-dir", str(tmp_path / "trees"), str(DOCS), str(site)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in DOCS.glob("*.md"):
        html = (site / page.with_suffix(".html").name).read_text(encoding="utf-8")
        assert not re.search(r"""<(?:script|link|img)[^>]+(?:src|href)=["']https?:""", html)
