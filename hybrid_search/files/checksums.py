"""What files a folder holds, with the size and hash of each: by it damage is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from hybrid_search.files.atomic_files import sha256_of, write_whole


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file was when it was written."""

    bytes: int
    sha256: str


Inventory = Mapping[str, FileFacts]
"""The files of a folder by their path below it, with slashes."""


def facts_of(path: Path) -> FileFacts:
    """The size and hash of a file as it is now."""
    return FileFacts(path.stat().st_size, sha256_of(path))


def take(folder: Path, files: Iterable[Path]) -> dict[str, FileFacts]:
    """The inventory of these files of the folder."""
    return {path.relative_to(folder).as_posix(): facts_of(path) for path in sorted(files)}


def differences(folder: Path, inventory: Inventory, *, hashes: bool = True) -> list[str]:
    """What is not as in the inventory, a sentence each; without ``hashes`` by size alone."""
    found = (_difference(folder / name, facts, hashes) for name, facts in inventory.items())
    return [said for said in found if said]


def _difference(path: Path, facts: FileFacts, hashes: bool) -> str:
    if not path.is_file():
        return f"{path.name} is missing"
    if (size := path.stat().st_size) != facts.bytes:
        return f"{path.name} has {size:,} bytes instead of {facts.bytes:,}"
    if hashes and sha256_of(path) != facts.sha256:
        return f"{path.name} is not what was written"
    return ""


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Keep a JSON object with its own hash in it, atomically."""
    told = {key: value for key, value in facts.items() if key != "sha256"}
    whole = {**told, "sha256": _hash(told)}
    write_whole(path, orjson.dumps(whole, option=orjson.OPT_INDENT_2))


def read_facts(path: Path) -> dict[str, Any]:
    """What ``write_facts`` wrote; raises ``ValueError`` when it is not that, and ``OSError``."""
    told = orjson.loads(path.read_bytes())
    if not isinstance(told, dict) or told.pop("sha256", None) != _hash(told):
        raise ValueError(f"{path.name} is not what was written")
    return told


def to_json(inventory: Inventory) -> dict[str, Any]:
    """The inventory as a JSON object."""
    return {name: asdict(facts) for name, facts in inventory.items()}


def from_json(told: Mapping[str, Any]) -> dict[str, FileFacts]:
    """The inventory that ``to_json`` gave."""
    return {name: FileFacts(**facts) for name, facts in told.items()}


def _hash(told: Mapping[str, Any]) -> str:
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
