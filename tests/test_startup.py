"""Help, a report and the state of a study load neither torch nor what else takes seconds to import."""

import subprocess
import sys
from pathlib import Path

import pytest

import straylight
from fixed_audit import fixed_audit, write_arrays
from straylight.audit.storage import save_audit
from straylight.cli.commands import COMMANDS
from straylight.study.run.index import INDEX, StudyIndex
from studies import chains

SLOW = ("torch", "torchvision", "timm", "scipy", "skimage", "pydicom", "transformers", "datasets")
USELESS_FOR_HELP = (*SLOW, "numpy", "PIL", "jsonschema", "jinja2", "rich", "typeguard")
PROGRAM = """
import sys
from straylight.cli.main import main
try:
    main(sys.argv[2:])
finally:
    print("loaded:", *sorted(set(sys.argv[1].split(",")) & sys.modules.keys()), file=sys.stderr)
"""


def run_and_list_loaded(slow: tuple[str, ...], *words: object, status: int = 0) -> tuple[str, str]:
    """Run a command in a process of its own; return its output, and which slow packages it loaded."""
    command = [sys.executable, "-c", PROGRAM, ",".join(slow), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    printed, _, loaded = done.stderr.rpartition("loaded:")
    return done.stdout + printed, loaded.strip()


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_only_what_parses_options(command: str) -> None:
    printed, loaded = run_and_list_loaded(USELESS_FOR_HELP, *command.split(), "--help")
    assert printed.startswith("usage: straylight")
    assert not loaded


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["audti"], "there is no command 'audti': perhaps you meant audit"),
        (["audit", "--zetta", "1"], "audit has no option --zetta: perhaps you meant --zeta"),
        (["finetune", "--data", "x"], "finetune needs --backbone, --out"),
        (["demo", "--seed", "one"], "--seed must be a whole number, not 'one'"),
        (
            ["audit", "--model=m", "--cohort=c", "--natural=n", "--out=o", "--zeta=many"],
            "--zeta must be a number, such as 0.02 or 2%, not 'many'",
        ),
    ],
)
def test_usage_errors_load_nothing_slow(words: list[str], message: str) -> None:
    printed, loaded = run_and_list_loaded(SLOW, *words, status=2)
    assert message in printed
    assert not loaded


def test_a_report_is_written_without_torch(tmp_path: Path) -> None:
    save_audit(fixed_audit(), write_arrays(tmp_path))
    printed, loaded = run_and_list_loaded(SLOW, "report", tmp_path)
    assert str(tmp_path / "report.html") in printed.replace("\n", "")
    assert not loaded


@pytest.mark.parametrize("command", ["status", "tables", "report"])
def test_a_study_is_read_without_torch(command: str, tmp_path: Path) -> None:
    index = StudyIndex(tmp_path / INDEX, write=True)
    index.begin("Two chains", chains(2))
    index.close()
    printed, loaded = run_and_list_loaded(SLOW, "study", command, tmp_path)
    assert command == "report" or "Two chains" in printed
    assert not loaded


def test_names_load_on_first_use() -> None:
    program = (
        "import sys, straylight\n"
        "assert {'Audit', 'load_model', 'run'} <= set(dir(straylight))\n"
        f"assert not set({SLOW}) & sys.modules.keys()\n"
        "from straylight import load_audit, render, Recipe, ModelOptions, Proportion\n"
        f"assert not set({SLOW}) & sys.modules.keys()\n"
        "from straylight import *\n"
        "assert Classifier is straylight.Classifier\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_public_name_is_there() -> None:
    assert len(straylight.__all__) >= 35
    for name in straylight.__all__:
        assert getattr(straylight, name).__module__.startswith("straylight.")
