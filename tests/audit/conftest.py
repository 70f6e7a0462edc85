"""Audits that the tests of a session share."""

from pathlib import Path

import pytest

from audit_runs import PLAN, Parts, train_parts
from straylight.audit.results import Audit
from straylight.audit.run import run
from straylight.report.render import write_report
from tiny_audits import TINY_PLAN, stop_audit, tiny_parts


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """A trained network, photographs and medical images."""
    return train_parts(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="session")
def finished(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Audit, Path]:
    out = tmp_path_factory.mktemp("audit") / "deep" / "er"
    return run(PLAN, *parts, out, show_images=True, command="straylight audit"), out


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Audit, Path]:
    """An undisturbed audit, with its report."""
    out = tmp_path_factory.mktemp("whole")
    return run(TINY_PLAN, *tiny_parts(), out, show_images=True, finish=write_report), out


@pytest.fixture
def copied(whole: tuple[Audit, Path], tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    import shutil

    return Path(shutil.copytree(whole[1], tmp_path / "audit"))


@pytest.fixture(scope="session")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("half")
    stop_audit(out)
    return out
