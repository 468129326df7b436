"""What a generation was built with: the manifest in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import orjson

from hybrid_search.core.errors import IndexCorrupt
from hybrid_search.core.field_schema import Fields
from hybrid_search.embedding.text_encoder import copy_key
from hybrid_search.files.atomic_files import damaged_copies, mend, read_either, write_twice
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
    """The key of the vectors of copy, which all copy has; empty where it was not embedded."""
    embedding: Mapping[str, str | None] = field(default_factory=dict)
    """How that model is named in the settings: ``model`` and ``pretrained``."""
    format: int = FORMAT


def new_manifest(analyzer: str, model: str, fields: Fields, section: EmbeddingSection) -> Manifest:
    """What a generation is built with now."""
    return Manifest(
        analyzer=analyzer,
        model=model,
        copy=copy_key(model, fields) if section.embed_copy else "",
        embedding={"model": section.model, "pretrained": section.pretrained},
    )


def forget_copy(folder: Path) -> None:
    """Say that the generation's vectors of copy are not whole: what comes in now gets none."""
    manifest = read_manifest(folder)
    if manifest.copy:
        write_manifest(folder, replace(manifest, copy=""))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest into a generation's folder, twice and atomically."""
    write_twice(folder / _MANIFEST, orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))


def read_manifest(folder: Path) -> Manifest:
    """The generation's manifest; raises ``IndexCorrupt``."""
    try:
        return Manifest(**orjson.loads(read_either(folder / _MANIFEST) or b"nothing"))
    except (OSError, ValueError, TypeError, IndexCorrupt) as failure:
        raise IndexCorrupt(
            f"generation {folder.name}: its manifest cannot be read, {failure};"
            " run: hybrid-search repair"
        ) from failure


def damage_of_manifest(folder: Path) -> str:
    """What is wrong with the manifest or its copy; empty when nothing is."""
    damaged = damaged_copies(folder / _MANIFEST)
    return f"{', '.join(map(str, damaged))}: not what was written" if damaged else ""


def mend_manifest(folder: Path) -> str:
    """What was wrong with a copy of the manifest and is put right; empty when nothing was."""
    return f"{folder / _MANIFEST} was written again" if mend(folder / _MANIFEST) else ""
