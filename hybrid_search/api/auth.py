"""Authentication by API key or session cookie, roles, and rate limits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hybrid_search.core.errors import InvalidConfig
from hybrid_search.engine.access.api_keys import KEYS, Key, KeyFile, Role
from hybrid_search.settings.settings import Settings

COOKIE = "hybrid_search_session"
FAILURES_A_MINUTE = 20
"""Wrong keys that one address may send."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hybrid_search"'}
_SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    name: str
    """The name of the key; the client's address when no keys exist."""
    role: Role
    keyed: bool = False


class Access:
    """Admits requests, or rejects them with 401, 403, 421 or 429."""

    def __init__(self, settings: Settings) -> None:
        self._file = KeyFile(settings.data_dir / KEYS)
        self._rate = settings.server.rate_per_minute
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def admit(self, request: Request, role: Role | None) -> Caller:
        """The caller, if it has the role; ``None`` admits everybody."""
        address = request.client.host if request.client else ""
        if role is None:
            return Caller(address, "read")
        caller = self._caller(request, role, address)
        self._count(self._rate, "requests", caller.name)
        return caller

    def known(self, secret: str, address: str) -> Key:
        """The key with that secret; raises 401, or 429 after many wrong keys from the address."""
        key = self._file.owner(secret)
        if key is None:
            self._count(FAILURES_A_MINUTE, "wrong keys", address)
            raise HTTPException(401, "unknown API key", _CHALLENGE)
        return key

    def _caller(self, request: Request, role: Role, address: str) -> Caller:
        if not self._file.keys():
            _check_own_host(request)
            return Caller(address, "admin")
        secret = _secret_of(request)
        if secret is None:
            raise HTTPException(
                401, "an API key is required: Authorization: Bearer KEY", _CHALLENGE
            )
        key = self.known(secret, address)
        if not key.may(role):
            raise HTTPException(
                403, f"the key {key.name} has the role {key.role}; this needs {role}"
            )
        return Caller(key.name, key.role, keyed=True)

    def _count(self, rate: int, what: str, caller: str) -> None:
        if rate and not self._limiter.hit(RateLimitItemPerMinute(rate), what, caller):
            raise HTTPException(
                429,
                f"{caller}: more than {rate} {what} a minute, the limit",
                {"Retry-After": str(max(1, 60 // rate))},
            )


def check_address(settings: Settings) -> str:
    """A warning to log before listening; empty for none.

    Raises ``InvalidConfig`` for an address other than loopback while no keys exist.
    """
    host, keys = settings.server.host, KeyFile(settings.data_dir / KEYS).keys()
    if "*" in settings.server.cors_origins and keys:
        raise InvalidConfig(
            "server.cors_origins: '*' would let any page use keys; list the origins"
        )
    if keys:
        return ""
    if not is_loopback(host):
        raise InvalidConfig(
            f"server.host: {host} is not loopback, and no API keys exist; create one first,"
            f" run: hybrid-search keys add NAME --role admin --data-dir {settings.data_dir}"
        )
    return (
        "no API keys: every user of this machine may read and write;"
        " run: hybrid-search keys add NAME"
    )


def is_loopback(host: str) -> bool:
    """Whether the host name or address is loopback."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_own_host(request: Request) -> None:
    # DNS rebinding: a page may point its own host name at this machine. The Host header tells.
    if not is_loopback(request.url.hostname or ""):
        raise HTTPException(421, "without API keys this service answers to the host localhost only")


def _secret_of(request: Request) -> str | None:
    """The key of a request: from Authorization, X-API-Key or the session cookie."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        return bearer.strip()
    if named := request.headers.get("x-api-key"):
        return named
    cookie = request.cookies.get(COOKIE)
    if cookie is not None and request.method not in _SAFE:
        _check_origin(request)
    return cookie


def _check_origin(request: Request) -> None:
    """Reject a write from another origin: browsers may send the cookie with it."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, f"writes from the origin {origin[:100]!r} are not allowed")
