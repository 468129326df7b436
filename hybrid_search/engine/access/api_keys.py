"""API keys: who may read, write, administer. Only their hashes are kept.

A key is 256 bits drawn by chance, so that a plain SHA-256 of it cannot be guessed back; a slow
hash is for secrets that people think up.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from hybrid_search.core.errors import IndexCorrupt, InvalidInput
from hybrid_search.files.checksums import read_facts, write_facts

Role = Literal["read", "write", "admin"]
"""Each may do what those before it may."""
ROLES: tuple[Role, ...] = get_args(Role)
KEYS = "keys.json"
"""Where in a data folder they are kept."""
_PREFIX = "hs_"
"""By which a leaked key is recognised."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key."""

    name: str
    role: Role
    created: str
    """UTC, ISO 8601."""
    sha256: str

    def may(self, role: Role) -> bool:
        """Whether it may do what asks for that role."""
        return ROLES.index(self.role) >= ROLES.index(role)


class KeyFile:
    """The keys of a data folder; any process may change them while others read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._keys: Mapping[str, Key] = {}

    def keys(self) -> Mapping[str, Key]:
        """All keys by name; raises ``IndexCorrupt`` for a file that is not what was written."""
        with self._guard:
            if (stamp := self._state()) != self._stamp:
                self._keys = {} if stamp is None else self._read()
                self._stamp = stamp
            return self._keys

    def add(self, name: str, role: Role) -> str:
        """The new key's secret, which nobody can be told again; raises ``InvalidInput``."""
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"name: {name[:80]!r} must be 1 to 64 of A-Z, a-z, 0-9, . _ -")
        known = self.keys()
        if name in known:
            raise InvalidInput(f"name: there is a key {name!r} already; remove it first")
        secret = _PREFIX + secrets.token_urlsafe(32)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        self._write({**known, name: Key(name, role, created, _hash(secret))})
        return secret

    def remove(self, name: str) -> bool:
        """Whether there was such a key; it is refused from now on."""
        known = self.keys()
        self._write({kept: key for kept, key in known.items() if kept != name})
        return name in known

    def owner(self, secret: str) -> Key | None:
        """The key with that secret; all are compared, in the same time whatever they are."""
        asked, found = _hash(secret), None
        for key in self.keys().values():
            if hmac.compare_digest(key.sha256, asked):
                found = key
        return found

    def _write(self, keys: Mapping[str, Key]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_facts(self._path, {"keys": [asdict(key) for key in keys.values()]})
        self._path.chmod(0o600)

    def _read(self) -> Mapping[str, Key]:
        try:
            told = [Key(**key) for key in read_facts(self._path)["keys"]]
        except (OSError, ValueError, TypeError, KeyError) as failure:
            raise IndexCorrupt(
                f"keys: {self._path} cannot be read, {failure}; everything is refused until it is"
                " mended or removed"
            ) from failure
        return {key.name: key for key in told}

    def _state(self) -> tuple[int, int] | None:
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            return None
        return facts.st_mtime_ns, facts.st_size


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
