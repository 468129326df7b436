"""The walks through the architecture name files and functions that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "hybrid_search"
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")


def steps(heading: str) -> list[tuple[list[str], list[str]]]:
    """The files and functions of each step of a walk."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if re.match(r"\| \d", line)]
    return [(re.findall(r"`([^`]+)`", row[3]), re.findall(r"`([^`]+)`", row[4])) for row in rows]


def defined(path: Path) -> set[str]:
    """The functions and methods of a module: ``function``, ``Class.method``."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = (part for part in node.body if isinstance(part, ast.FunctionDef))
            names |= {f"{node.name}.{method.name}" for method in methods}
    return names


@pytest.mark.parametrize("heading", ["One asset in", "One query out"])
def test_a_walk_names_what_exists(heading: str) -> None:
    walk = steps(heading)
    assert 10 < len(walk) < 20
    for files, functions in walk:
        known = set().union(*(defined(PACKAGE / file) for file in files))
        assert functions
        assert [name for name in functions if name not in known] == []


def test_the_likely_changes_name_files_that_exist() -> None:
    section = TEXT.split("## Likely changes\n")[1].split("\n## ")[0]
    named = re.findall(
        r"`((?:core|settings|analysis|stores|search|api|cli|ingest|engine)/[^`*]+)`", section
    )
    assert len(named) > 15
    assert [path for path in named if not (PACKAGE / path).exists()] == []


def test_every_package_is_described() -> None:
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    table = TEXT.split("## Packages\n")[1].split("\n## ")[0]
    assert packages <= set(re.findall(r"`(\w+)`", table))
    assert len(packages) <= 13
