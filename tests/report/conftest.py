"""The arrays of the fixed audit, for all tests of the report."""

from pathlib import Path

import pytest

from fixed_audit import (
    write_arrays,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_arrays(tmp_path / "audit")
