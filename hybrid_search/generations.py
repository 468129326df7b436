"""What a generation was built with: the manifest in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from hybrid_search.config import EmbeddingSection
from hybrid_search.durable import write_whole
from hybrid_search.errors import IndexCorrupt

FORMAT = 1
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was built with."""

    analyzer: str
    """The analyser's fingerprint."""
    model: str
    """The key of the model's vectors."""
    embedding: Mapping[str, str | None] = field(default_factory=dict)
    """How that model is named in the settings: ``model`` and ``pretrained``."""
    format: int = FORMAT


def new_manifest(analyzer: str, model: str, section: EmbeddingSection) -> Manifest:
    """What a generation is built with now."""
    return Manifest(analyzer, model, {"model": section.model, "pretrained": section.pretrained})


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest into a generation's folder, atomically."""
    write_whole(folder / _MANIFEST, orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))


def read_manifest(folder: Path) -> Manifest:
    """The generation's manifest; raises ``IndexCorrupt``."""
    try:
        return Manifest(**orjson.loads((folder / _MANIFEST).read_bytes()))
    except (OSError, ValueError, TypeError) as failure:
        raise IndexCorrupt(
            f"generation {folder.name}: its manifest cannot be read, {failure};"
            " run: hybrid-search rebuild"
        ) from failure
