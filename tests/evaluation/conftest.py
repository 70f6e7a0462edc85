"""A trained network that the tests of scoring share."""

import pytest

from audit_runs import Parts, train_parts


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """A trained network, photographs and medical images."""
    return train_parts(tmp_path_factory.mktemp("parts"))
