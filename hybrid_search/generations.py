"""Index generations: a folder each, with a manifest, published by an atomic pointer swap."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from hybrid_search.durable import write_whole
from hybrid_search.errors import IndexCorrupt

FORMAT = 1
_POINTER = "CURRENT"
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation was built with."""

    analyzer: str
    """The analyser's fingerprint."""
    model: str
    """The key of the model's vectors; empty until the first picture is embedded."""
    format: int = FORMAT


class Generations:
    """The generations below one folder, and the pointer to the one that serves."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def current(self) -> Path | None:
        """The folder of the generation that serves; ``None`` before the first."""
        pointer = self._root / _POINTER
        return self._root / pointer.read_text("ascii").strip() if pointer.is_file() else None

    def begin(self) -> Path:
        """An empty folder for the next generation, which nobody sees yet."""
        numbers = [int(p.name) for p in self._root.glob("[0-9]*") if p.name.isdigit()]
        served = self.current()
        number = max([int(served.name) if served else 0, *numbers], default=0) + 1
        folder = self._root / f"{number:06d}"
        folder.mkdir(parents=True)
        return folder

    def publish(self, folder: Path) -> None:
        """Let that generation serve, durably, and remove those before the last one."""
        served = self.current()
        write_whole(self._root / _POINTER, folder.name.encode())
        keep = {folder, served}
        for old in self._root.glob("[0-9]*"):
            if old not in keep:
                shutil.rmtree(old, ignore_errors=True)


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
