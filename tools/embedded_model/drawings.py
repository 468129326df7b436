"""Public-domain drawings with titles, because the classifier was trained on photos only."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from adverts import lay_out
from PIL import Image
from sources import Sources
from space import Rows, Teacher, unit
from tqdm import tqdm

_DC = "{http://purl.org/dc/elements/1.1/}"
_SHAPELESS = (
    "computer/icons", "recreation/games/cards", "shapes", "signs_and_symbols/flags",
    "signs_and_symbols/led", "special", "unsorted",
)  # fmt: skip
"""Folders whose titles do not describe the picture."""
_EMPTY_WORDS = frozenset(
    (
        "hash", "clip art", "clipart", "image", "media", "externalsource", "public domain", "svg",
        "icon", "icons", "theme",
    )
)  # fmt: skip
Prepare = Callable[[Image.Image], torch.Tensor]
"""Converts a picture to the input of the model."""
_MOST_PIXELS = 20_000_000
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture (``RGBA``, or its path) with phrases that describe it."""

    source: Path | Image.Image
    phrases: list[str]

    def open(self) -> Image.Image:
        """Return the picture as ``RGBA``, no larger than the model needs."""
        if isinstance(self.source, Image.Image):
            return self.source
        with Image.open(self.source) as picture:
            picture.thumbnail((1024, 1024))
            return picture.convert("RGBA")


def read_drawings(sources: Sources, held_out: Path) -> Iterator[Drawing]:
    """Yield the public-domain drawings that are not held out for evaluation."""
    svgs = sources.debian("openclipart-svg", "openclipart/svg")
    pngs = sources.debian("openclipart-png", "openclipart/png")
    kept = set(held_out.read_text("utf-8").splitlines())
    for path in sorted(svgs.rglob("*.svg")):
        name = str(path.relative_to(svgs).with_suffix(""))
        picture = pngs / f"{name}.png"
        if name in kept or name.startswith(_SHAPELESS) or not picture.exists():
            continue
        phrases = _phrases(path, name)
        if phrases and _fits(picture):
            yield Drawing(picture, phrases)


def features_of(
    drawings: list[Drawing], model: torch.nn.Module, prepare: Prepare, kept: Path
) -> Rows:
    """Return the pooled trunk features ``(2 n, 1280)``: of each drawing on white and in an ad.

    They are cached in a file.
    """
    if kept.exists():
        return np.asarray(np.load(kept))
    chance, plain, advertised = random.Random(0), [], []
    model.visual.to(memory_format=torch.channels_last)  # several times faster
    for start in tqdm(range(0, len(drawings), _BATCH), desc="drawings"):
        motifs = [one.open() for one in drawings[start : start + _BATCH]]
        plain.append(_seen(model, [prepare(_on_white(motif)) for motif in motifs]))
        advertised.append(_seen(model, [prepare(lay_out(motif, chance)) for motif in motifs]))
    features = torch.cat(plain + advertised).numpy()
    np.save(kept, features)
    return features


def _seen(model: torch.nn.Module, pictures: list[torch.Tensor]) -> torch.Tensor:
    with torch.inference_mode():
        return model.visual.trunk(
            torch.stack(pictures).contiguous(memory_format=torch.channels_last)
        )


def targets_of(drawings: list[Drawing], teacher: Teacher, centre: Rows, basis: Rows) -> Rows:
    """Return the mean of the phrase vectors of each drawing: unit rows in feature order."""
    distinct = sorted({phrase for one in drawings for phrase in one.phrases})
    rows = unit((teacher.encode(distinct, "drawings") - centre) @ basis)
    at = {phrase: place for place, phrase in enumerate(distinct)}
    means = np.stack([rows[[at[p] for p in one.phrases]].mean(axis=0) for one in drawings])
    return np.tile(unit(means), (2, 1))


def _phrases(path: Path, name: str) -> list[str]:
    """Return the title (twice), the keywords and the folder; nothing without a free licence."""
    try:
        work = next((e for e in ET.parse(path).iter() if e.tag.endswith("}Work")), None)
    except ET.ParseError:
        return []
    if work is None or not _is_free(work):
        return []
    title = re.sub(r"[_\-]+", " ", work.findtext(f"{_DC}title") or "")
    title = re.sub(r"\b(clip ?art|svg|by .*|\d+)\b", "", title, flags=re.IGNORECASE).strip()
    subject = work.find(f"{_DC}subject")
    words = [] if subject is None else [(e.text or "").strip() for e in subject.iter()]
    words = [word for word in words if 0 < len(word) < 30 and word.lower() not in _EMPTY_WORDS]
    titles = [title] * 2 if 2 < len(title) < 60 else []
    return [*titles, *words[:8], *name.split("/")[:-1][-1:]]


def _is_free(work: ET.Element) -> bool:
    licences = [e for e in work if e.tag.endswith("}license")]
    return any("publicdomain" in v.lower() for e in licences for v in e.attrib.values())


def _fits(path: Path) -> bool:
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as picture:
        return picture.width * picture.height <= _MOST_PIXELS


def _on_white(motif: Image.Image) -> Image.Image:
    white = Image.new("RGBA", motif.size, (255, 255, 255, 255))
    white.alpha_composite(motif)
    return white.convert("RGB")
