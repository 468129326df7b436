"""The manifest of a generation: what it was built with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import orjson

from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.core.field_schema import Fields
from hybrid_search.embedding.text_encoder import text_model_key
from hybrid_search.files.atomic_files import damaged_copies, mend, read_two_copies, write_two_copies
from hybrid_search.settings.sections import EmbeddingSection

FORMAT = 1
_MANIFEST = "MANIFEST"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was built with."""

    analyzer: str
    """The analyser's fingerprint."""
    model: str
    """The key of the model's vectors."""
    copy: str = ""
    """The key of the text vectors; empty if not all texts have one."""
    embedding: Mapping[str, str | None] = field(default_factory=dict)
    """The settings of that model: ``model`` and ``pretrained``."""
    format: int = FORMAT


def new_manifest(analyzer: str, model: str, fields: Fields, section: EmbeddingSection) -> Manifest:
    """The manifest of a generation that is built now."""
    return Manifest(
        analyzer=analyzer,
        model=model,
        copy=text_model_key(model, fields) if section.embed_copy else "",
        embedding={"model": section.model, "pretrained": section.pretrained},
    )


def forget_copy(folder: Path) -> None:
    """Record that the generation's text vectors are incomplete, since new texts get none."""
    manifest = read_manifest(folder)
    if manifest.copy:
        write_manifest(folder, replace(manifest, copy=""))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and its copy into a generation's folder, each atomically."""
    write_two_copies(folder / _MANIFEST, orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the generation; raises ``IndexCorrupt`` if it cannot be read."""
    try:
        return Manifest(**orjson.loads(read_two_copies(folder / _MANIFEST) or b"nothing"))
    except (OSError, ValueError, TypeError, IndexCorrupt) as failure:
        raise IndexCorrupt(
            f"generation {folder.name}: its manifest cannot be read, {failure};"
            " run: hybrid-search repair"
        ) from failure


def damage_of_manifest(folder: Path) -> str:
    """What is wrong with the manifest or its copy; empty without damage."""
    damaged = damaged_copies(folder / _MANIFEST)
    return f"{', '.join(map(str, damaged))}: checksum is wrong" if damaged else ""


def mend_manifest(folder: Path) -> str:
    """Restore a damaged copy of the manifest; returns what was done, or empty."""
    return f"{folder / _MANIFEST} was written again" if mend(folder / _MANIFEST) else ""
