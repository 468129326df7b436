"""What a generation was built with: the manifest in its folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

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
    """The key of the model's vectors; empty until the first picture is embedded."""
    copy: str = ""
    """The key of the vectors of copy, which all copy has; empty where it was not embedded."""
    format: int = FORMAT


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
