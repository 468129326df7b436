"""Optional data beside a checkout."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(path: str) -> Path:
    """Return a path in the shared folder; skip the test if the folder is missing."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"needs {path} in a folder named shared beside the checkout")
    return found
