"""The texts of the pages, without a browser."""

import json
import re
from pathlib import Path

import hybrid_search
from hybrid_search.core.notes import NOTE_CODES, NOTE_TEXTS

PAGE = Path(hybrid_search.__file__).parent / "api/page"
SOURCE = (PAGE / "words.js").read_text("utf-8")
ENTRY = re.compile(r"^  (\w+): (\[.*\]),$", re.MULTILINE)
WORDS: dict[str, list[str]] = {name: json.loads(texts) for name, texts in ENTRY.findall(SOURCE)}
PREFIXES = ("copy_", "error_", "f_", "grade_", "lane_", "list_", "note_", "s_winner_", "v_")
"""Names that the page builds from a value of the service."""
ABSENCES = {"not_matched", "below_window"}


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_every_entry_is_read() -> None:
    assert len(WORDS) > 150
    assert len(WORDS) == len(re.findall(r"^  \w+: \[", SOURCE, re.MULTILINE))


def test_every_text_exists_in_both_languages() -> None:
    for name, texts in WORDS.items():
        assert len(texts) == 2, name
        assert all(texts), name
        assert placeholders(texts[0]) == placeholders(texts[1]), name


def test_every_note_has_a_text_in_both_languages() -> None:
    for code in NOTE_CODES:
        english, korean = WORDS[f"note_{code}"]
        assert re.search("[가-힣]", korean), code
        assert placeholders(english) <= placeholders(NOTE_TEXTS[code]), code


def test_the_page_uses_every_text_and_no_other() -> None:
    files = [path for path in PAGE.iterdir() if path.suffix in {".js", ".html"}]
    used = "\n".join(path.read_text("utf-8") for path in files if path.name != "words.js")
    unused = [name for name in WORDS if f'"{name}"' not in used and not name.startswith(PREFIXES)]
    assert set(unused) <= ABSENCES
    named = set(re.findall(r'\bt\("(\w+)"', used))
    named |= set(re.findall(r'data-t(?:-[\w-]+)?="(\w+)"', used))
    assert named <= set(WORDS)
