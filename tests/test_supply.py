"""Dependencies and image contents: declared, pinned and minimal."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DECLARED = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
EXTRAS = [
    Requirement(text)
    for texts in PROJECT["project"]["optional-dependencies"].values()
    for text in texts
]
DEVELOPERS = [Requirement(text) for text in PROJECT["dependency-groups"]["dev"]]
NOT_FOR_TESTS = {"transformers"}
"""An extra that no test needs, so no version of it is tested."""
PINNED = {
    name: Version(version)
    for name, version in re.findall(
        r"^([a-z0-9-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )
}
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")


@pytest.mark.parametrize("wanted", [*DECLARED, *EXTRAS, *DEVELOPERS], ids=str)
def test_requirements_have_a_minimum_and_a_tested_version(
    wanted: Requirement,
) -> None:
    assert any(part.operator in {">=", "==", "~="} for part in wanted.specifier)
    name = canonicalize_name(wanted.name)
    if name not in NOT_FOR_TESTS:
        assert wanted.specifier.contains(PINNED[name])


def test_what_the_package_imports_is_declared() -> None:
    declared = {canonicalize_name(wanted.name) for wanted in [*DECLARED, *EXTRAS]}
    names = packages_distributions()
    imported = {
        module.partition(".")[0]
        for path in (ROOT / "hybrid_search").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for module in modules(node)
    }
    foreign = imported - set(sys.stdlib_module_names) - {"hybrid_search", "opentelemetry"}
    assert len(foreign) > 20
    for module in foreign:
        assert {canonicalize_name(name) for name in names[module]} & declared, module


def modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_image_uses_tested_versions() -> None:
    installs = re.findall(r"^RUN .*pip install.*$", DOCKERFILE, re.MULTILINE)
    assert installs
    assert all("--constraint constraints.txt" in line for line in installs)
    assert "!constraints.txt" in (ROOT / ".dockerignore").read_text("utf-8").splitlines()


def test_container_is_unprivileged_and_writes_only_to_its_data() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert user not in {"root", "0"}
    assert last.index(f"\nUSER {user}") < last.index("\nENTRYPOINT")
    assert re.findall(r"^VOLUME (\S+)$", last, re.MULTILINE) == ["/data"]
    assert "HYBRID_SEARCH_DATA_DIR=/data" in last
    assert "HEALTHCHECK" in last
    assert not re.search(r"(?i)\b(key|token|secret|password)=", DOCKERFILE)
    assert all(":" in image for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert "docker run --read-only --tmpfs /tmp" in (ROOT / "docs/install.md").read_text("utf-8")
