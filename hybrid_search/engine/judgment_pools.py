"""Pools of candidates to judge, collected from several search configurations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from hybrid_search.core.errors import InvalidInput
from hybrid_search.files.atomic_files import make_folder, write_atomically

POOLS = "pools"
"""Folder name in the data folder."""
_NAME = re.compile(r"[\w][\w .+-]{0,59}")


@dataclass(frozen=True, slots=True)
class PooledQuery:
    """A query and the ids of its candidates, in an order unrelated to their ranks."""

    query: str
    assets: tuple[str, ...]


def check_name(name: str) -> None:
    """Raise ``InvalidInput`` unless the text can be the name of a pool.

    >>> check_name("spring ads")
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"pool: {name[:80]!r} is not a name of 1 to 60 letters, digits, spaces, . + or -"
        )


class Pools:
    """The pools of a data folder, one file per pool."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / POOLS

    def write(self, name: str, queries: Sequence[PooledQuery]) -> None:
        """Store a pool, replacing one with the same name; raises ``InvalidInput``."""
        check_name(name)
        make_folder(self._folder)
        write_atomically(
            self._folder / f"{name}.json", orjson.dumps([asdict(one) for one in queries])
        )

    def names(self) -> list[str]:
        """The names of all pools, in alphabetical order."""
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def read(self, name: str) -> list[PooledQuery] | None:
        """The pool with that name; ``None`` if there is none."""
        if name not in self.names():
            return None
        found = orjson.loads((self._folder / f"{name}.json").read_bytes())
        return [PooledQuery(one["query"], tuple(one["assets"])) for one in found]
