"""Who may do what: keys, sessions of browsers, and how often."""

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
"""Wrong keys that an address may try."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hybrid_search"'}
_SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    """Of the key, or the address where there are no keys."""
    role: Role
    keyed: bool = False


class Access:
    """Lets requests in, or refuses them with 401, 403, 421 or 429."""

    def __init__(self, settings: Settings) -> None:
        self._file = KeyFile(settings.data_dir / KEYS)
        self._rate = settings.server.rate_per_minute
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def admit(self, request: Request, role: Role | None) -> Caller:
        """Who asks, once it is clear that they may; ``None`` is asked of nobody."""
        address = request.client.host if request.client else ""
        if role is None:
            return Caller(address, "read")
        caller = self._caller(request, role, address)
        self._count(self._rate, "request", caller.name)
        return caller

    def known(self, secret: str, address: str) -> Key:
        """The key with that secret; raises 401, and 429 for an address that tries many."""
        key = self._file.owner(secret)
        if key is None:
            self._count(FAILURES_A_MINUTE, "wrong key", address)
            raise HTTPException(401, "the key is not known here", _CHALLENGE)
        return key

    def _caller(self, request: Request, role: Role, address: str) -> Caller:
        if not self._file.keys():
            _check_own_host(request)
            return Caller(address, "admin")
        secret = _secret_of(request)
        if secret is None:
            raise HTTPException(401, "a key is needed: Authorization: Bearer KEY", _CHALLENGE)
        key = self.known(secret, address)
        if not key.may(role):
            raise HTTPException(403, f"the key {key.name} may {key.role}; this needs {role}")
        return Caller(key.name, key.role, keyed=True)

    def _count(self, rate: int, what: str, whose: str) -> None:
        if rate and not self._limiter.hit(RateLimitItemPerMinute(rate), what, whose):
            raise HTTPException(
                429,
                f"more than {rate} a minute of: {what}; the limit of {whose}",
                {"Retry-After": str(max(1, 60 // rate))},
            )


def check_address(settings: Settings) -> str:
    """What to warn of before listening; empty when nothing.

    Raises ``InvalidConfig`` for an address that others reach while there are no keys.
    """
    host, keys = settings.server.host, KeyFile(settings.data_dir / KEYS).keys()
    if "*" in settings.server.cors_origins and keys:
        raise InvalidConfig("server.cors_origins: '*' lets any page use keys; name the origins")
    if keys:
        return ""
    if not is_loopback(host):
        raise InvalidConfig(
            f"server.host: {host} can be reached by others, and there are no keys; make one first,"
            f" run: hybrid-search keys add NAME --role admin --data-dir {settings.data_dir}"
        )
    return "no keys: whoever uses this machine may read and write; hybrid-search keys add NAME"


def is_loopback(host: str) -> bool:
    """Whether that name or address is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_own_host(request: Request) -> None:
    # Any page can point a name of its own at this machine: the browser then says that name.
    if not is_loopback(request.url.hostname or ""):
        raise HTTPException(421, "without keys this service is asked as localhost only")


def _secret_of(request: Request) -> str | None:
    """The key that came with the request, from wherever keys come."""
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
    """Browsers send the cookie with what other pages ask too; their origin gives these away."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, f"writes from the origin {origin[:100]!r} are not taken")
