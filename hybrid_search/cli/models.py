"""``hybrid-search models``."""

from __future__ import annotations

from rich.table import Table
from typing_extensions import TypedDict

from hybrid_search.cli.options import DataDir, Json
from hybrid_search.cli.terminal import console, print_json
from hybrid_search.core.model_choice import AS_TYPED
from hybrid_search.embedding.loader import weights_cached
from hybrid_search.embedding.model_registry import CatalogueEntry, catalogue
from hybrid_search.settings.settings import Settings, load_settings


class ModelJson(TypedDict):
    """A model: the settings that select it, and what it costs.

    ``images_per_second`` and ``text_ms`` are those of one core in fp32 (docs/models.md).
    """

    model: str
    pretrained: str | None
    use: str
    languages: str
    dimension: int
    image_size: int
    context_length: int
    parameters: int
    fp32_bytes: int
    bf16_bytes: int
    images_per_second: float
    text_ms: float
    needs: list[str]
    prompts: list[str]
    in_use: bool
    available: bool


def command(data_dir: DataDir = None, json: Json = False) -> None:
    """List recommended embedding models and which of them are on this machine."""
    settings = load_settings(data_dir)
    models = [_model(entry, settings) for entry in catalogue()]
    configured = settings.embedding.choice().name
    if json:
        print_json({"configured": configured, "models": models})
        return
    console.print(_table(models))
    if not any(model["in_use"] for model in models):
        console.print(f"in use: {configured}, which is not in this list", markup=False)
    console.print(
        "* in use  + on this machine  - downloaded on first use; speed on one core in fp32",
        style="dim",
    )


def _model(entry: CatalogueEntry, settings: Settings) -> ModelJson:
    section = settings.embedding
    return {
        "model": entry.model,
        "pretrained": entry.pretrained,
        "use": entry.use,
        "languages": entry.languages,
        "dimension": entry.dimension,
        "image_size": entry.image_size,
        "context_length": entry.context_length,
        "parameters": entry.parameters,
        "fp32_bytes": entry.memory("fp32"),
        "bf16_bytes": entry.memory("bf16"),
        "images_per_second": entry.images_per_second,
        "text_ms": entry.text_ms,
        "needs": list(entry.needs),
        "prompts": [] if entry.prompts == AS_TYPED else list(entry.prompts),
        "in_use": (entry.model, entry.pretrained) == (section.model, section.pretrained),
        "available": entry.hub is None or weights_cached(entry.hub),
    }


def _table(models: list[ModelJson]) -> Table:
    """Two lines a model: the settings that select it, what it costs and what it is for."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("embedding.model\nembedding.pretrained", no_wrap=True)
    for column in ("dim", "px", "tokens", "MB fp32\nbf16", "images/s\nms a text"):
        table.add_column(column, justify="right")
    table.add_column("languages\nfor")
    for model in models:
        table.add_row(
            "*" if model["in_use"] else "+" if model["available"] else "-",
            f"{model['model']}\n{model['pretrained'] or ''}",
            *map(str, (model["dimension"], model["image_size"], model["context_length"])),
            f"{model['fp32_bytes'] / 1e6:,.0f}\n{model['bf16_bytes'] / 1e6:,.0f}",
            f"{model['images_per_second']:.3g}\n{model['text_ms']:.3g}",
            f"{model['languages']}\n{model['use']}",
        )
    return table
