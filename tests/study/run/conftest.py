"""A small study, run once, for tests of the running of studies."""

from pathlib import Path

import pytest

from straylight.cli.main import main
from studies import make_world


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a child writes why it was refused."""
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    return tmp_path / "told"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def undisturbed(world: Path) -> Path:
    """The tiny study, run by the command."""
    study = world / "undisturbed"
    main(["study", str(world / "tiny.toml"), "--out", str(study)])
    return study
