"""The exact versions of what is installed here, as a file of constraints for pip.

    make constraints
    pip install --constraint constraints.txt hybrid_search

Left out are this project and what only this virtual environment holds: pip, setuptools, wheel.
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
