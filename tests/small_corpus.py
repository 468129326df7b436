"""Six assets: enough to distinguish the candidate lists."""

import json
from pathlib import Path

from PIL import Image, ImageDraw

ROWS: list[dict[str, str | int | list[str]]] = [
    {"id": "phrase", "title": "여름 신발 특가", "brand": "하늘", "price": 9900},
    {"id": "apart", "title": "여름 특가 신발", "brand": "하늘", "price": 19900},
    {"id": "english", "title": "Summer shoes sale", "brand": "Sky", "tags": ["shoes", "summer"]},
    {"id": "red", "image": "red.png", "title": "Red circle"},
    {"id": "red-again", "image": "red.png"},
    {"id": "blue", "image": "blue.png", "brand": "Sky"},
]


def draw(path: Path, colour: str | tuple[int, int, int]) -> None:
    """Draw a disc of this colour on white."""
    picture = Image.new("RGB", (200, 160), "white")
    ImageDraw.Draw(picture).ellipse((40, 20, 160, 140), fill=colour)
    picture.save(path)


def write_manifest(
    folder: Path, prefix: str = "", blue: str | tuple[int, int, int] = "blue"
) -> Path:
    """Write the assets as JSONL beside their pictures; ids get the prefix."""
    folder.mkdir(exist_ok=True)
    draw(folder / "red.png", "red")
    draw(folder / "blue.png", blue)
    path = folder / "assets.jsonl"
    rows = [{**row, "id": f"{prefix}{row['id']}"} for row in ROWS]
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path
