"""Random invalid requests from a seed."""

import base64
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PIECES = [
    "신발", "여름", "sale", "ㄱㅇㅈ", '"', '""', '"한 정', "+", "-", "brand:", "brand:하늘",
    "price:1..2",
    "price:..", "*", "a*", "title:*", "\\", "/", "(", ")", "((((", "^9", "~2", "[a TO z]", "{", "}",
    "\u0000", "\u200b", "\u202e", "\ufeff", "👩‍👩‍👧", "\ud800", "가" * 300, "a" * 600,
    "\u0301" * 50,
    "１２３", "ﬁ", "İ", "ß", "\u1112\u1161\u11ab", "NULL", "-1", "1e999", "0x7f", "%s%n", "{{7*7}}",
    "'; DROP TABLE assets; --", "<script>alert(1)</script>", "../../etc/passwd", "OR", "AND NOT",
]  # fmt: skip
NUMBERS: list[Any] = [
    0,
    -1,
    1,
    200,
    201,
    10**6,
    2**63,
    10**400,
    1.5,
    -0.0,
    1e308,
    "x",
    None,
    [],
    {},
]
PARAMETERS = [
    "q", "size", "offset", "cursor", "mode", "fusion", "rank_constant", "like", "unlike",
    "like_text",
    "unlike_text", "filter", "facet", "sort", "min_similarity", "explain", "highlight",
    "window.lexical",
    "weight.phrase", "weight.nothing", "image", "v", "", "q[]",
]  # fmt: skip
PATHS = [
    "/v1/search", "/v1/suggest", "/v1/status", "/v1/assets", "/v1/audit", "/v1/session", "/v1/",
    "/",
    "/metrics", "/readyz", "/openapi.json", "/static/search.js", "/static/../x", "/nothing",
]  # fmt: skip
MEDIA = [
    "application/json", "image/jpeg", "image/png", "multipart/form-data", "application/x-ndjson",
    "text/plain", "", "multipart/form-data; boundary=b", "application/json; charset=utf-16", "💥",
]  # fmt: skip


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    params: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""


class Fuzzer:
    """Generates requests; deterministic for a seed."""

    def __init__(self, seed: int, pictures: list[bytes]) -> None:
        self._chance = random.Random(seed)
        self._pictures = pictures

    def request(self) -> Asked:
        """The next request."""
        makers = (self._search, self._json, self._picture, self._form, self._asset, self._lines)
        return self._chance.choice((*makers, self._anything))()

    def _text(self) -> str:
        pieces = self._chance.choices(PIECES, k=self._chance.randint(1, 6))
        return self._chance.choice(["", " "]).join(pieces)

    def _value(self, depth: int = 0) -> Any:
        kind = self._chance.randrange(8 if depth < 4 else 4)
        if kind == 0:
            return self._chance.choice(NUMBERS)
        if kind < 4:
            return self._text()
        if kind < 6:
            return [self._value(depth + 1) for _ in range(self._chance.randint(0, 3))]
        return {self._word(): self._value(depth + 1) for _ in range(self._chance.randint(0, 3))}

    def _word(self) -> str:
        return self._chance.choice(
            [*PARAMETERS, "price", "brand", "lt", "not", "id", "lists", "any"]
        )

    def _search(self) -> Asked:
        names = self._chance.choices(PARAMETERS, k=self._chance.randint(0, 5))
        params = [(name, _plain(self._value(3))) for name in names]
        return Asked("GET", self._chance.choice(PATHS[:3]), [("q", self._text()), *params])

    def _json(self) -> Asked:
        content = self._mangled(_dumped({self._word(): self._value() for _ in range(4)}))
        return Asked("POST", "/v1/search", [], {"Content-Type": "application/json"}, content)

    def _mangled(self, data: bytes) -> bytes:
        """Return the data, sometimes cut, doubled, changed, nested or re-encoded."""
        nested = b"[" * self._chance.choice([10, 1_000, 100_000]) + data
        ways = [
            data[: self._chance.randint(0, len(data))],
            nested,
            data.decode("utf-8", "replace").encode("utf-16"),
            b"\xef\xbb\xbf" + data,
            self._flipped(data),
            data.replace(b'"', b'"\\ud800', 1),
            b'{"q": "a", "q": NaN, "size": 1' + b"0" * 5000 + b"}",
        ]
        return self._chance.choice([*ways, data, data, data])

    def _flipped(self, data: bytes) -> bytes:
        changed = bytearray(data or b"\0")
        for _ in range(self._chance.randint(1, 20)):
            changed[self._chance.randrange(len(changed))] = self._chance.randrange(256)
        return bytes(changed)

    def _bytes(self) -> bytes:
        """Return picture bytes: unchanged, flipped, cut, or no picture."""
        data = self._chance.choice(self._pictures)
        return self._chance.choice(
            [data, self._flipped(data), data[: self._chance.randint(0, len(data))], b"", b"GIF89a"]
        )

    def _picture(self) -> Asked:
        media = {"Content-Type": self._chance.choice(MEDIA[1:3])}
        return Asked("POST", "/v1/search", [("q", self._text())], media, self._bytes())

    def _form(self) -> Asked:
        boundary = self._chance.choice([b"b", b"b" * 300, b"--", b"\xff"])
        parts = [
            b"--%s\r\nContent-Disposition: form-data%s\r\n\r\n%s\r\n"
            % (
                boundary,
                self._chance.choice(
                    [b'; name="q"', b'; name="image"; filename="a"', b"", b"; name="]
                ),
                self._chance.choice([self._text().encode("utf-8", "replace"), self._bytes()]),
            )
            for _ in range(self._chance.choice([0, 1, 2, 3, 150]))
        ]
        content = b"".join(parts) + b"--%s--\r\n" % boundary
        if self._chance.random() < 0.3:
            content = content[: self._chance.randint(0, len(content))]
        media = {"Content-Type": f"multipart/form-data; boundary={boundary.decode('latin-1')}"}
        method, path = self._chance.choice([("POST", "/v1/search"), ("PUT", "/v1/assets/form")])
        return Asked(method, path, [], media, content)

    def _asset(self) -> Asked:
        fields = {name: self._value(1) for name in self._chance.sample(["brand", "x", "tags"], 2)}
        fields |= {"title": self._text(), "attributes": self._value(2)}
        if self._chance.random() < 0.5:
            fields["image"] = base64.b64encode(self._bytes()).decode()
        name = f"fuzz-{self._chance.randrange(20)}" + self._chance.choice(["", "%00", "/a", "%ff"])
        method = self._chance.choice(["PUT", "PUT", "DELETE", "GET"])
        content = self._mangled(_dumped(fields)) if method == "PUT" else b""
        return Asked(method, f"/v1/assets/{name}", [], {"Content-Type": MEDIA[0]}, content)

    def _lines(self) -> Asked:
        rows = [{"id": f"line-{n}", "title": self._text()} for n in range(3)]
        content = b"\n".join(self._mangled(_dumped(row)) for row in rows)
        media = {"Content-Type": "application/x-ndjson"}
        return Asked("POST", "/v1/assets", [], media, content)

    def _anything(self) -> Asked:
        method = self._chance.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"])
        media = {"Content-Type": self._chance.choice(MEDIA[:-1])}
        content = self._chance.choice([b"", self._bytes()[:1000], b"\x00" * 1000])
        params = [(self._word(), self._text()) for _ in range(2)]
        return Asked(method, self._chance.choice(PATHS), params, media, content)


def odd_pictures(folder: Path) -> list[bytes]:
    """Return the bytes of all files in the folder that fit into a request."""
    found = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    return [data for data in found if len(data) < 2_000_000]


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
