"""Print the exact versions of all installed packages as a pip constraints file.

    make constraints
    pip install --constraint constraints.txt hybrid_search

This project and pip, setuptools and wheel are left out.
"""

from __future__ import annotations

import platform
from importlib.metadata import distributions

from packaging.utils import canonicalize_name
from packaging.version import Version

LEFT_OUT = {"hybrid-search", "pip", "setuptools", "wheel"}


def main() -> None:
    found = {canonicalize_name(d.name): Version(d.version).public for d in distributions()}
    print(f"# Tested together on Python {platform.python_version()}; made by: make constraints")
    for name in sorted(found.keys() - LEFT_OUT):
        print(f"{name}=={found[name]}")


if __name__ == "__main__":
    main()
