"""Where files lie: packages alone at the top, and tests in folders of the same names."""

import re
from pathlib import Path

import hybrid_search
from tests.conftest import LONG

PACKAGE = Path(hybrid_search.__file__).parent
TESTS = Path(__file__).parent
TOP = {"__init__.py", "__main__.py", "py.typed"}
"""The only files beside the packages."""
OTHER_TESTS = {"contracts", "data", "page", "reliability"}
"""Folders of tests that cross packages: port contracts, stored indexes, the page, damage."""


def folders(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.is_dir() and path.name != "__pycache__"}


def test_no_module_lies_beside_the_packages() -> None:
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files <= TOP
    assert len(folders(PACKAGE)) <= 13


def test_every_package_says_what_it_holds() -> None:
    for init in PACKAGE.rglob("__init__.py"):
        assert init.read_text("utf-8").startswith('"""'), init.relative_to(PACKAGE)


def test_folders_of_tests_are_named_like_packages() -> None:
    assert folders(TESTS) - folders(PACKAGE) <= OTHER_TESTS
    for folder in folders(TESTS) & folders(PACKAGE):
        inner = folders(TESTS / folder)
        assert inner <= folders(PACKAGE / folder), f"tests/{folder}: {inner}"


def test_make_check_and_the_order_of_tests_name_existing_files() -> None:
    named = set(re.findall(r"\btests/[\w/.]+", (TESTS.parent / "Makefile").read_text("utf-8")))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (TESTS.parent / name).exists()] == []
    assert set(LONG) <= {path.name for path in TESTS.rglob("test_*.py")}
