"""What tests of several rooms share."""

from pathlib import Path

import pytest

from tests.small_corpus import write_manifest


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of six adverts, two pictures beside it."""
    return write_manifest(tmp_path_factory.mktemp("ads"))
