"""Every command and every setting is documented."""

from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel

from hybrid_search.adapters.clip_embedder import EMBEDDED_FOLDER
from hybrid_search.cli.main import app
from hybrid_search.config import Settings
from hybrid_search.durable import sha256_of

ROOT = Path(__file__).resolve().parents[1]


def names(section: BaseModel, prefix: str = "") -> list[str]:
    found = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        inner = isinstance(value, BaseModel)
        found += names(value, f"{prefix}{name}.") if inner else [prefix + name]
    return found


@pytest.mark.parametrize("name", names(Settings()))
def test_setting(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs/settings.md").read_text("utf-8")


@pytest.mark.parametrize("name", sorted(typer.main.get_command(app).commands))  # type: ignore[attr-defined]
def test_command(name: str) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"hybrid-search {name}" in readme or f"`{name}`" in readme


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_config.json"])
def test_the_embedded_model_is_the_one_its_card_describes(name: str) -> None:
    card = (EMBEDDED_FOLDER / "README.md").read_text("utf-8")
    assert sha256_of(EMBEDDED_FOLDER / name) in card
