"""The data that lies beside a checkout on the machines of the team."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(path: str) -> Path:
    """The path below the shared folder; the test is skipped where the folder is missing."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"needs {path} in a folder named shared beside the checkout")
    return found
