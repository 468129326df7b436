"""The texts of the page, without a browser."""

import json
import re
from pathlib import Path

import hybrid_search
from hybrid_search.core.notes import NOTE_CODES, NOTE_TEXTS

PAGE = Path(hybrid_search.__file__).parent / "api/page"
ENTRY = re.compile(r"^  (\w+): (\[.*\]),$", re.MULTILINE)
SOURCE = (PAGE / "words.js").read_text("utf-8")
WORDS: dict[str, list[str]] = {name: json.loads(texts) for name, texts in ENTRY.findall(SOURCE)}


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_every_entry_is_read() -> None:
    assert len(WORDS) > 150
    assert len(WORDS) == len(re.findall(r"^  \w+: \[", SOURCE, re.MULTILINE))


def test_every_text_is_there_in_both_languages() -> None:
    for name, texts in WORDS.items():
        assert len(texts) == 2, name
        assert all(texts), name
        assert placeholders(texts[0]) == placeholders(texts[1]), name


def test_every_note_has_a_text_in_both_languages() -> None:
    for code in NOTE_CODES:
        english, korean = WORDS[f"note_{code}"]
        assert re.search("[가-힣]", korean), code
        assert placeholders(english) <= placeholders(NOTE_TEXTS[code]), code
