"""Near-duplicates: copies of real pictures, and smaller or compressed ones."""

import io
import json
import shutil
from pathlib import Path

from PIL import Image

from hybrid_search.cli.ingest_paths import ingest_paths
from hybrid_search.core import AssetId
from hybrid_search.engine.factory import open_engine
from hybrid_search.images.decode import difference_hash
from hybrid_search.images.near_duplicates import NEAR
from hybrid_search.settings.settings import load_settings
from tests.shared_data import shared

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def recompressed(picture: Image.Image, side: int) -> Image.Image:
    small = picture.convert("RGB")
    small.thumbnail((side, side))
    kept = io.BytesIO()
    small.save(kept, "JPEG", quality=60)
    return Image.open(kept)


def test_a_smaller_and_compressed_copy_is_near_and_others_are_not() -> None:
    paths = sorted((FIXTURES / "images").iterdir())[:60]
    hashes = []
    for path in paths:
        with Image.open(path) as picture:
            whole = picture.convert("RGB")
            hashes.append((difference_hash(whole), difference_hash(recompressed(whole, 160))))
    own = [(mine ^ copy).bit_count() for mine, copy in hashes]
    assert sorted(own)[len(own) * 8 // 10] <= NEAR
    other = [(a ^ b).bit_count() for at, (a, _) in enumerate(hashes) for _, b in hashes[:at]]
    assert sorted(other)[len(other) // 100] > 20


def test_all_known_copies_of_the_judged_set_are_found(tmp_path: Path) -> None:
    dev = shared("data/dev")
    pairs = [line.split("\t")[:2] for line in (dev / "near_dups.tsv").read_text().splitlines()[1:]]
    wanted = {name for pair in pairs for name in pair}
    rows = map(json.loads, (dev / "assets.jsonl").read_text("utf-8").splitlines())
    known = [row for row in rows if row["id"] in wanted]
    (tmp_path / "images").mkdir()
    for row in known:
        shutil.copy(dev / row["image"], tmp_path / "images")
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text("\n".join(map(json.dumps, known)), "utf-8")
    settings = load_settings(tmp_path / "data")
    ingest_paths(settings, [manifest], quiet=True)
    with open_engine(settings) as engine:
        for one, other in pairs:
            stored = engine.catalog.find(AssetId(one))
            assert stored is not None
            assert other in {copy.stored.asset.id for copy in engine.duplicates(stored)}, one
