"""Every command, route, parameter and setting is documented, and every link resolves."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from hybrid_search.api.app import api
from hybrid_search.api.operations import Operation, Parameter
from hybrid_search.api.query_requests import search_parameters
from hybrid_search.api.schemas.queries import SearchBody
from hybrid_search.cli.main import app
from hybrid_search.core import LISTS, NOTE_CODES, ListSpec
from hybrid_search.embedding.model_folder import EMBEDDED_FOLDER
from hybrid_search.files.atomic_files import sha256_of
from hybrid_search.settings.settings import setting_names

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", setting_names())
def test_setting(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs/settings.md").read_text("utf-8")


def commands(command: Any, name: str = "") -> dict[str, Any]:
    """Return every command by name; commands of a group follow the group's name."""
    if not hasattr(command, "commands"):
        return {name.strip(): command}
    parts = [commands(inner, f"{name} {key}") for key, inner in command.commands.items()]
    return {key: inner for part in parts for key, inner in part.items()}


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command(name: str) -> None:
    text = (ROOT / "docs/commands.md").read_text("utf-8")
    section = text.split(f"## {name}\n")[1].split("\n## ")[0]
    assert f"hybrid-search {name}" in section
    for parameter in COMMANDS[name].params:
        for option in parameter.opts:
            assert f"`{option}`" in section or f"`{option.upper()}`" in section


OPERATIONS = api(max_body=1)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_route(operation: Operation) -> None:
    path = operation.path.replace(":path", "")
    assert f"| `{operation.method} {path}` |" in (ROOT / "docs/api.md").read_text("utf-8")


@pytest.mark.parametrize("parameter", search_parameters(), ids=lambda parameter: parameter.name)
def test_parameter(parameter: Parameter) -> None:
    assert f"`{parameter.name}`" in (ROOT / "docs/api.md").read_text("utf-8")


def test_every_limit_names_its_test() -> None:
    table = (ROOT / "docs/limits.md").read_text("utf-8").split("\n\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    for row in rows:
        named = re.search(r"`([a-z_/]+\.py)` \|$", row)
        assert named, f"no test: {row}"
        assert (ROOT / "tests" / named[1]).exists(), row


@pytest.mark.parametrize("code", NOTE_CODES)
def test_note(code: str) -> None:
    assert f"| `{code}` |" in (ROOT / "docs/api.md").read_text("utf-8")


@pytest.mark.parametrize("spec", LISTS.values(), ids=lambda spec: spec.name)
def test_candidate_list(spec: ListSpec) -> None:
    page = ROOT / "hybrid_search/api/page"
    assert f"| `{spec.name}` | {spec.description} |" in (ROOT / "docs/search.md").read_text("utf-8")
    assert f"  list_{spec.name}: [" in (page / "words.js").read_text("utf-8")
    assert f".list-{spec.name} " in (page / "page.css").read_text("utf-8")


def test_field_of_a_search() -> None:
    text = (ROOT / "docs/api.md").read_text("utf-8")
    assert [name for name in SearchBody.model_fields if f"| `{name}` |" not in text] == []


PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub derives them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_a_page_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith("https:"):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    named = r"`((?:bench|docs|fixtures|hybrid_search|tests|tools)/[\w./]+\.(?:md|py|toml))"
    for path in re.findall(named, page.read_text("utf-8")):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_the_readme_links_every_page(page: Path) -> None:
    assert f"](docs/{page.name})" in (ROOT / "README.md").read_text("utf-8")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 120


def test_notice_names_every_demonstration_picture() -> None:
    pictures = tomllib.loads((ROOT / "fixtures/sources/pictures.toml").read_text("utf-8"))
    notice = (ROOT / "fixtures/NOTICE.md").read_text("utf-8")
    assert {p["origin"] for p in pictures.values()} == {"OpenMoji", "openclipart"}
    assert {p.stem for p in (ROOT / "fixtures/sources").glob("*.webp")} == set(pictures)
    assert [name for name in pictures if not re.search(rf"\b{name}\b", notice)] == []


def test_the_demonstration_is_small() -> None:
    files = [path for path in (ROOT / "fixtures").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12 * 1024 * 1024


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_config.json"])
def test_model_card_has_the_hashes_of_the_embedded_model(name: str) -> None:
    card = (EMBEDDED_FOLDER / "README.md").read_text("utf-8")
    assert sha256_of(EMBEDDED_FOLDER / name) in card
