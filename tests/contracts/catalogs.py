"""Drafts and vectors for tests of catalogs."""

import numpy as np

from hybrid_search.core import Asset, AssetId, Digest, PictureFacts
from hybrid_search.core.ports import Draft, TextKey, Vectors

MODEL = "fake@0/4"


def facts(name: str) -> PictureFacts:
    return PictureFacts(Digest(name), "PNG", 4, 3, 99, "#aabbcc")


def draft(
    name: str, title: str = "", picture: str | None = None, text: TextKey | None = None
) -> Draft:
    asset = Asset(AssetId(name), title=title, tags=("봄", "spring"), attributes={"price": 9900})
    content = Digest(f"{name}/{title}/{picture}")
    return Draft(asset, facts(picture) if picture else None, content, text)


def row(seed: int) -> Vectors:
    return np.random.default_rng(seed).random(4, np.float32)


def ids(*names: str) -> list[AssetId]:
    return [AssetId(name) for name in names]
