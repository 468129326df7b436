"""Emoji as drawings: Noto's pictures with their English CLDR names."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from corpus import emoji_annotations
from drawings import Drawing
from fontTools.ttLib import TTFont
from PIL import Image
from sources import Sources


def read_emoji(sources: Sources, held_out: Path) -> Iterator[Drawing]:
    """Yield single-character emoji that are not held out for evaluation."""
    font = TTFont(sources.one("fonts-noto-color-emoji", "NotoColorEmoji.ttf"))
    glyphs, (pictures,) = font.getBestCmap(), font["CBDT"].strikeData
    kept = set(held_out.read_text("ascii").split())
    names = dict(emoji_annotations(sources, "en", "tts"))
    words = dict(emoji_annotations(sources, "en", None))
    for letter, name in names.items():
        glyph = glyphs.get(ord(letter)) if len(letter) == 1 else None
        if glyph in pictures and f"{ord(letter):X}" not in kept:
            keywords = [word.strip() for word in words.get(letter, "").split("|")]
            picture = Image.open(io.BytesIO(pictures[glyph].imageData)).convert("RGBA")
            yield Drawing(picture, [name, name, *keywords[:4]])
