"""What is to be judged: for each query the candidates that several ways of searching found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from hybrid_search.core.errors import InvalidInput
from hybrid_search.files.atomic_files import make_folder, write_whole

POOLS = "pools"
"""Where in a data folder they lie."""
_NAME = re.compile(r"[\w][\w .+-]{0,59}")


@dataclass(frozen=True, slots=True)
class PooledQuery:
    """A query and the ids of its candidates, in an order that tells nothing."""

    query: str
    assets: tuple[str, ...]


def check_name(name: str) -> None:
    """Raise ``InvalidInput`` for what no pool can be called.

    >>> check_name("spring ads")
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"pool: {name[:80]!r} is no name of 1 to 60 letters and digits")


class Pools:
    """The pools of a data folder, a file each."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / POOLS

    def write(self, name: str, queries: Sequence[PooledQuery]) -> None:
        """Keep a pool, in place of an earlier one of that name; raises ``InvalidInput``."""
        check_name(name)
        make_folder(self._folder)
        write_whole(self._folder / f"{name}.json", orjson.dumps([asdict(one) for one in queries]))

    def names(self) -> list[str]:
        """In alphabetical order."""
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def read(self, name: str) -> list[PooledQuery] | None:
        """The pool of that name; ``None`` without one."""
        if name not in self.names():
            return None
        found = orjson.loads((self._folder / f"{name}.json").read_bytes())
        return [PooledQuery(one["query"], tuple(one["assets"])) for one in found]
