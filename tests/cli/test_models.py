"""``hybrid-search models``: the list, the model in use, and the cache."""

import json
from pathlib import Path

import pytest
from huggingface_hub import try_to_load_from_cache
from typer.testing import CliRunner

from hybrid_search.cli import models
from hybrid_search.cli.main import app
from tests.tiny_models import folder_model

MULTILINGUAL = "ViT-B-32-SigLIP2-256"


def listed(*words: str) -> dict[str, dict[str, object]]:
    result = CliRunner().invoke(app, ["models", "--json", *words])
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    return {model["model"]: model for model in shown["models"]}


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "weights_cached", lambda hub: hub.endswith(MULTILINGUAL))


@pytest.mark.usefixtures("cached")
def test_available_models_and_the_model_in_use() -> None:
    shown = listed()
    assert [name for name, model in shown.items() if model["in_use"]] == ["embedded"]
    here = [name for name, model in shown.items() if model["available"]]
    assert here == ["embedded", MULTILINGUAL]
    assert shown[MULTILINGUAL]["needs"] == ["transformers"]
    assert (shown["ViT-L-14"]["dimension"], shown["ViT-L-14"]["fp32_bytes"]) == (768, 1_710_466_052)


@pytest.mark.usefixtures("cached")
def test_unlisted_model_in_use_is_shown(tmp_path: Path) -> None:
    folder = folder_model(tmp_path / "shop-clip")
    (tmp_path / "hybrid_search.toml").write_text(f'[embedding]\nmodel = "local-dir:{folder}"\n')
    shown = CliRunner().invoke(app, ["models", "--data-dir", str(tmp_path)])
    assert "in use: local-dir:shop-clip, which is not in this list" in shown.output
    assert "ViT-B-16-SigLIP2" in shown.output


def test_cache_is_inspected_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hybrid_search.embedding import hub_cache

    monkeypatch.setattr(
        hub_cache,
        "try_to_load_from_cache",
        lambda repo, name: try_to_load_from_cache(repo, name, cache_dir=tmp_path),
    )
    assert not hub_cache.is_cached("org/name")
    repository = tmp_path / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    assert not hub_cache.is_cached("org/name")
    (snapshot / "open_clip_pytorch_model.bin").write_bytes(b"weights")
    assert hub_cache.is_cached("org/name")
