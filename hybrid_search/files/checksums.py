"""Inventories of files with their sizes and hashes, and JSON files with a checksum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from hybrid_search.files.atomic_files import sha256_of, write_atomically


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size and hash of a file when it was written."""

    bytes: int
    sha256: str


Inventory = Mapping[str, FileFacts]
"""The files of a folder by their POSIX path relative to it."""


def facts_of(path: Path) -> FileFacts:
    """The current size and hash of a file."""
    return FileFacts(path.stat().st_size, sha256_of(path))


def take(folder: Path, files: Iterable[Path]) -> dict[str, FileFacts]:
    """The inventory of the given files of the folder."""
    return {path.relative_to(folder).as_posix(): facts_of(path) for path in sorted(files)}


def differences(folder: Path, inventory: Inventory, *, hashes: bool = True) -> list[str]:
    """One sentence for each file that differs; without ``hashes`` only sizes are compared."""
    found = (_difference(folder / name, facts, hashes) for name, facts in inventory.items())
    return [sentence for sentence in found if sentence]


def _difference(path: Path, facts: FileFacts, hashes: bool) -> str:
    if not path.is_file():
        return f"{path.name} is missing"
    if (size := path.stat().st_size) != facts.bytes:
        return f"{path.name} has {size:,} bytes instead of {facts.bytes:,}"
    if hashes and sha256_of(path) != facts.sha256:
        return f"{path.name} does not match its checksum"
    return ""


def write_facts(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object atomically, with its own hash under ``sha256``."""
    plain = {key: value for key, value in content.items() if key != "sha256"}
    checked = {**plain, "sha256": _hash(plain)}
    write_atomically(path, orjson.dumps(checked, option=orjson.OPT_INDENT_2))


def read_facts(path: Path) -> dict[str, Any]:
    """The object that ``write_facts`` wrote, without its hash.

    Raises ``ValueError`` for other content and ``OSError`` if the file cannot be read.
    """
    content = orjson.loads(path.read_bytes())
    if not isinstance(content, dict) or content.pop("sha256", None) != _hash(content):
        raise ValueError(f"{path.name} does not match its checksum")
    return content


def to_json(inventory: Inventory) -> dict[str, Any]:
    """The inventory as a JSON object."""
    return {name: asdict(facts) for name, facts in inventory.items()}


def from_json(data: Mapping[str, Any]) -> dict[str, FileFacts]:
    """The inventory in a JSON object of ``to_json``."""
    return {name: FileFacts(**facts) for name, facts in data.items()}


def _hash(content: Mapping[str, Any]) -> str:
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
