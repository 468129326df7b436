import string
from typing import Any

from hybrid_search.core.notes import NOTE_CODES, NOTE_TEXTS, Note

PARAMS: dict[str, dict[str, Any]] = {
    "unknown_field": {"field": "colour"},
    "text_truncated": {"read": 32, "tokens": 57},
    "list_not_built": {"list": "copy_semantic"},
    "list_disabled": {"list": "copy_semantic", "setting": "embedding.embed_copy"},
    "log_disabled": {"setting": "feedback.log"},
}


def test_every_code_has_a_text_that_uses_its_parameters() -> None:
    assert set(NOTE_TEXTS) == set(NOTE_CODES)
    for code, text in NOTE_TEXTS.items():
        used = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        assert used == set(PARAMS.get(code, {}))
        assert "{" not in Note(code, PARAMS.get(code, {})).text


def test_equal_notes_are_the_same_key() -> None:
    notes = [Note("unknown_field", {"field": name}) for name in ("a", "b", "a")]
    assert list(dict.fromkeys(notes)) == notes[:2]
